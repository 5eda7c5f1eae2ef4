//! The thread that fetches: does the tasks of `ekey-egd`'s `Fetcher`.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crossbeam_channel::SendTimeoutError;
use ekey_egd::{Fetcher, Received, Request, Task};
use ekey_link::Interrupt;
use zeroize::Zeroizing;

use super::Shared;
use super::failure::Failure;
use super::link::{self, Link, Waited};
use crate::config::{Server, Tls};
use crate::source::batch::Batch;
use crate::source::{Delivery, Grade, Inlet, SourceId, Trust};
use crate::worker::lock;

/// Bytes read at a time: one more than any answer has.
const READ_LEN: usize = 256;

/// While the daemon takes nothing, the thread checks this often whether it must stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Everything that the thread owns.
pub(super) struct Driver {
    pub(super) servers: Vec<Server>,
    pub(super) tls: Option<Tls>,
    pub(super) fetcher: Fetcher,
    pub(super) interrupt: Interrupt,
    pub(super) shared: Arc<Mutex<Shared>>,
    pub(super) inlet: Inlet,
}

impl Driver {
    /// Fetches until it must stop.
    pub(super) fn run(mut self) {
        let mut link = None;
        while self.goes_on() {
            if let Err(failure) = self.proceed(&mut link) {
                link = None;
                let now = Instant::now();
                self.fetcher.failed(now);
                self.shared().record.failed(&failure.to_string(), now);
            }
        }
    }

    fn proceed(&mut self, link: &mut Option<Link>) -> Result<(), Failure> {
        let wanted = self.shared().wanted;
        self.fetcher.want(wanted);
        match (self.fetcher.next(Instant::now())?, link) {
            (Task::Connect { server, until }, link) => {
                *link = None;
                self.connect(server, until, link)
            }
            (Task::Send(request), Some(link)) => {
                link.send(request.encode(&mut [0; Request::MOST_LEN]))?;
                self.shared().note_sent(request);
                Ok(())
            }
            (Task::Wait(until), Some(link)) => match link.wait(&self.interrupt, until)? {
                Waited::Ready => self.take_in(link),
                Waited::TimedOut | Waited::Woken => Ok(()),
            },
            (Task::Wait(until), None) => link::rest(&self.interrupt, until).map(drop).map_err(Failure::Broken),
            // A task that needs a connection comes only while there is one.
            (Task::Send(_), None) => Err(Failure::Closed),
        }
    }

    fn connect(&mut self, server: usize, until: Instant, link: &mut Option<Link>) -> Result<(), Failure> {
        self.shared().record.connecting(server, Instant::now());
        match Link::open(&self.servers[server], self.tls.as_ref(), until, &self.interrupt, || self.goes_on()) {
            Ok(open) => {
                self.shared().record.reached(open.address.clone());
                self.fetcher.connected();
                *link = Some(open);
                Ok(())
            }
            Err(Some(failure)) => Err(failure),
            // It must stop; the caller checks that next.
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
        match self.fetcher.receive(now, &buffer[..count])? {
            Received::Nothing => {}
            Received::Greeting => self.shared().record.connected(now),
            Received::Entropy => self.deliver(&buffer[..count]),
        }
        Ok(())
    }

    /// Hands on what has come. While the daemon has no room, waits and requests nothing.
    fn deliver(&self, bytes: &[u8]) {
        self.shared().note_entropy(bytes.len());
        let bytes = Batch::new(bytes.to_vec());
        let mut delivery = Delivery { from: SourceId::EGD, trust: Trust::Unproven, bytes, grade: Grade::Fit };
        while self.goes_on() {
            match self.inlet.deliveries.send_timeout(delivery, STOP_CHECK) {
                Err(SendTimeoutError::Timeout(unsent)) => delivery = unsent,
                Ok(()) | Err(SendTimeoutError::Disconnected(_)) => return self.inlet.wake(),
            }
        }
    }

    fn goes_on(&self) -> bool {
        !self.shared().stopping
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}
