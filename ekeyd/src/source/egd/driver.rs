//! The thread that fetches: does the tasks of `ekey-egd`'s `Fetcher`.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crossbeam_channel::SendTimeoutError;
use ekey_egd::{Fetcher, Received, Request, Task};
use ekey_health::Change;
use ekey_link::Interrupt;
use zeroize::Zeroizing;

use super::Shared;
use super::failure::Failure;
use super::link::{self, Link, Waited};
use super::trial::{READ_LEN, Trial};
use crate::config::{Credit, Server, Tls};
use crate::source::batch::Batch;
use crate::source::{Delivery, Epoch, Grade, Inlet, SourceId, Trust};
use crate::worker::lock;

/// While the daemon takes nothing, the thread checks this often whether it must stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Everything that the thread owns.
pub(super) struct Driver {
    pub(super) servers: Vec<Server>,
    pub(super) tls: Option<Tls>,
    pub(super) credit: Credit,
    /// The tests of each server.
    pub(super) trials: Vec<Trial>,
    /// The server in use, by its place in the list.
    pub(super) server: usize,
    pub(super) fetcher: Fetcher,
    pub(super) interrupt: Interrupt,
    pub(super) shared: Arc<Mutex<Shared>>,
    pub(super) inlet: Inlet,
    /// When the connection was made.
    pub(super) epoch: Epoch,
}

impl Driver {
    /// Fetches until it must stop.
    pub(super) fn run(mut self) {
        let mut link = None;
        while self.goes_on() {
            if self.epoch != self.inlet.epochs.present() {
                link = None;
                self.forget();
            }
            if let Err(failure) = self.proceed(&mut link) {
                link = None;
                let now = Instant::now();
                match failure {
                    Failure::Unfit(_) => self.fetcher.failed_test(now),
                    _ => self.fetcher.failed(now),
                }
                self.shared().record.failed(&failure.to_string(), now);
            }
        }
    }

    fn proceed(&mut self, link: &mut Option<Link>) -> Result<(), Failure> {
        let wanted = self.shared().wanted;
        // What the tests need comes first, in whole requests: nothing else can be used before.
        self.fetcher.want(if self.trials[self.server].needs_more() { READ_LEN } else { wanted });
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

    /// Hands on what is held back of each server under the old epoch, so that it is wiped and accounted for. Then begins the new
    /// epoch, without a connection: an answer may be on its way on the old one.
    fn forget(&mut self) {
        for server in 0..self.trials.len() {
            let Some(bytes) = self.trials[server].let_go() else { continue };
            let mut shared = self.shared();
            shared.record.let_go(server);
            shared.note_handed(bytes.len(), Grade::Fit);
            drop(shared);
            self.deliver(server, bytes, Grade::Fit);
        }
        self.fetcher.start_over();
        self.epoch = self.inlet.epochs.present();
    }

    fn connect(&mut self, server: usize, until: Instant, link: &mut Option<Link>) -> Result<(), Failure> {
        self.server = server;
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
            Received::Entropy => return self.test(&buffer[..count]),
        }
        Ok(())
    }

    /// Tests what has come, and hands on what has passed or failed.
    fn test(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let trial = &mut self.trials[self.server];
        let tested = trial.test(bytes);
        let (vitals, server) = (trial.vitals(), &self.servers[self.server]);
        match tested.change {
            Some(Change::Retired(alarm)) => {
                tracing::error!("EGD server {server}: retired, none of its bytes is used: {alarm}");
            }
            Some(Change::Readmitted) => {
                tracing::info!("EGD server {server}: readmitted after a run of good blocks");
                self.fetcher.passes_again();
            }
            None => {}
        }
        let (has_passed, held_back) = (trial.has_passed(), trial.held_back());
        let mut shared = lock(&self.shared);
        shared.record.tested(bytes.len(), vitals, has_passed, held_back);
        if let Some((bytes, grade)) = &tested.bytes {
            shared.note_handed(bytes.len(), *grade);
        }
        drop(shared);
        if let Some((bytes, grade)) = tested.bytes {
            self.deliver(self.server, bytes, grade);
        }
        match vitals.retirement() {
            Some(aside) if tested.failed => Err(Failure::Unfit(aside.of_server())),
            _ => Ok(()),
        }
    }

    /// Hands on what has been tested. While the daemon has no room, waits and requests nothing.
    fn deliver(&self, server: usize, bytes: Batch, grade: Grade) {
        let (from, credited) = (SourceId::egd(server), self.credit.covers(&self.servers[server]));
        let mut delivery = Delivery { from, trust: Trust::Unproven, credited, bytes, grade, epoch: self.epoch };
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
