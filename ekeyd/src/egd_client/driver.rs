//! The thread that does what the state machine says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::Sender;
use ekey_link::Interrupt;
use zeroize::Zeroizing;

use super::Shared;
use super::failure::Failure;
use super::link::{self, Link, Waited};
use super::machine::{Machine, Received, Step};
use crate::config::{Server, Tls};

/// Bytes read at a time: one more than any answer has.
const READ_LEN: usize = 256;

/// Everything that the thread owns.
pub(super) struct Driver {
    pub(super) servers: Vec<Server>,
    pub(super) tls: Option<Tls>,
    pub(super) machine: Machine,
    pub(super) interrupt: Interrupt,
    pub(super) shared: Arc<Mutex<Shared>>,
    pub(super) wake: Box<dyn Fn() + Send>,
    /// Dropped last, which is how it is seen that the thread has ended.
    pub(super) _done: Sender<()>,
}

impl Driver {
    /// Fetches until it is told to stop.
    pub(super) fn run(mut self) {
        let mut link = None;
        while self.goes_on() {
            if let Err(failure) = self.proceed(&mut link) {
                link = None;
                let now = Instant::now();
                self.machine.failed(now);
                self.shared().record.failed(&failure.to_string(), now);
            }
        }
    }

    fn proceed(&mut self, link: &mut Option<Link>) -> Result<(), Failure> {
        let wanted = self.shared().wanted;
        self.machine.want(wanted);
        match (self.machine.next(Instant::now())?, link) {
            (Step::Connect { server, until }, link) => {
                *link = None;
                self.connect(server, until, link)
            }
            (Step::Send(ask), Some(link)) => {
                link.send(&ask.to_bytes())?;
                self.shared().note_sent(ask);
                Ok(())
            }
            (Step::Wait(until), Some(link)) => match link.wait(&self.interrupt, until)? {
                Waited::Ready => self.take_in(link),
                Waited::TimedOut | Waited::Woken => Ok(()),
            },
            (Step::Wait(until), None) => link::rest(&self.interrupt, until).map(drop).map_err(Failure::Broken),
            // A step that needs a connection comes only while there is one.
            (Step::Send(_), None) => Err(Failure::Closed),
        }
    }

    fn connect(&mut self, server: usize, until: Instant, link: &mut Option<Link>) -> Result<(), Failure> {
        self.shared().record.connecting(server, Instant::now());
        match Link::open(&self.servers[server], self.tls.as_ref(), until, &self.interrupt, || self.goes_on()) {
            Ok(open) => {
                self.shared().record.reached(open.address.clone());
                self.machine.connected();
                *link = Some(open);
                Ok(())
            }
            Err(Some(failure)) => Err(failure),
            // It was told to stop, and the caller looks at that next.
            Err(None) => Ok(()),
        }
    }

    fn take_in(&mut self, link: &mut Link) -> Result<(), Failure> {
        let mut buffer = Zeroizing::new([0; READ_LEN]);
        let count = link.read(&mut *buffer)?;
        if count == 0 {
            return Ok(());
        }
        let now = Instant::now();
        match self.machine.receive(now, &buffer[..count])? {
            Received::Nothing => {}
            Received::Greeting => self.shared().record.connected(now),
            Received::Entropy => {
                self.shared().note_entropy(&buffer[..count]);
                (self.wake)();
            }
        }
        Ok(())
    }

    fn goes_on(&self) -> bool {
        !self.shared().stopping
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
