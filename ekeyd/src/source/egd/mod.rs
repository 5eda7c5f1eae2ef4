//! The EGD client: fetches entropy from the EGD server of another machine, for a machine that has no key.
//!
//! A thread does it, because resolving a name may take long. The event loop says how many bytes it [wants](Source::want); they go
//! the same way as a key's. `ekey-egd` decides what to request, where and when. **No MAC proves these bytes**: they are only as
//! trustworthy as the server and, without TLS, everyone on the way to it. The health tests must pass before any is used, and the
//! configuration says of which servers the kernel counts them as entropy.

mod driver;
mod failure;
mod link;
mod record;
mod trial;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ekey_control::Status;
use ekey_egd::{Fetcher, Pace, Request};
use ekey_link::Interrupt;

use crate::config::{self, Config};
use crate::source::{Demand, Grade, Inlet, Source, SourceId};
use crate::worker::{Worker, lock};
use driver::Driver;
use record::Record;
use trial::Trial;

/// Limit of bytes wanted at a time.
const MOST_WANTED: usize = 4096;
/// How long the thread may take to end. It ends at once, unless it resolves a name.
const LAST_GRACE: Duration = Duration::from_millis(500);

/// The servers that entropy is fetched from, one at a time.
pub(crate) struct EgdServers {
    shared: Arc<Mutex<Shared>>,
    interrupt: Interrupt,
    worker: Worker,
    /// Bytes to hold ready.
    reserve: usize,
}

/// What the thread and the event loop share.
struct Shared {
    /// Bytes still to fetch.
    wanted: usize,
    /// Bytes on their way to the stock.
    under_way: usize,
    stopping: bool,
    record: Record,
}

impl EgdServers {
    /// Starts to look for a server, if the configuration names any.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub(crate) fn start(config: &Config, inlet: &Inlet) -> io::Result<Option<Self>> {
        let (health, Some(config)) = (&config.health, &config.egd_client) else { return Ok(None) };
        let interrupt = Interrupt::new().map_err(io::Error::other)?;
        let trials: Vec<Trial> = config.connect.iter().map(|_| Trial::new(health)).collect();
        let record = Record::new(config, trials.iter().map(Trial::vitals).collect(), Instant::now());
        let shared = Arc::new(Mutex::new(Shared { wanted: 0, under_way: 0, stopping: false, record }));
        let config::EgdClient { request_bytes, timeout, first_pause, longest_pause, .. } = *config;
        let pace = Pace { request_bytes, timeout, first_pause, longest_pause };
        let driver = Driver {
            servers: config.connect.clone(),
            tls: config.tls.clone(),
            credit: config.credit,
            trials,
            server: 0,
            fetcher: Fetcher::new(pace, config.connect.len()),
            interrupt: interrupt.clone(),
            shared: Arc::clone(&shared),
            inlet: inlet.clone(),
            epoch: inlet.epochs.present(),
        };
        let worker = Worker::start("egd-client".to_owned(), move || driver.run())?;
        Ok(Some(Self { shared, interrupt, worker, reserve: config.reserve_bytes }))
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl Source for EgdServers {
    /// Fetches what outlets want now, what the reserve lacks, and what a bulk outlet takes. Fetches nothing while other sources
    /// fill the stock.
    fn want(&mut self, demand: &Demand) {
        let mut shared = self.shared();
        let now = demand.now + if shared.record.is_credited() { demand.credited } else { 0 };
        let hold = (now + self.reserve).max(demand.bulk).min(demand.capacity);
        let wanted = hold.saturating_sub(demand.held).min(MOST_WANTED).saturating_sub(shared.under_way);
        if wanted != shared.wanted {
            shared.wanted = wanted;
            self.interrupt.wake();
        }
    }

    fn taken(&mut self, from: SourceId, bytes: usize) {
        let mut shared = self.shared();
        if shared.record.is_from(from) {
            shared.under_way = shared.under_way.saturating_sub(bytes);
        }
    }

    fn forget(&mut self) {
        self.interrupt.wake();
    }

    fn threads(&self) -> usize {
        1
    }

    fn report(&self, status: &mut Status) {
        status.egd_client = Some(self.shared().record.status(Instant::now()));
        // A machine that only fetches needs no keyring.
        if status.keys.is_empty() {
            status.keyring.problem = None;
        }
    }

    fn begin_stop(&mut self) {
        self.shared().stopping = true;
        self.interrupt.wake();
    }

    fn is_running(&self) -> bool {
        false
    }

    /// Abandons the thread if it resolves a name, which cannot be interrupted.
    fn stop(mut self: Box<Self>) {
        self.begin_stop();
        if !self.worker.stop(LAST_GRACE) {
            tracing::warn!("resolving the name of an EGD server takes long; its thread is abandoned");
        }
    }
}

impl Shared {
    fn note_sent(&mut self, request: Request) {
        if matches!(request, Request::Wait(_)) {
            self.record.asked();
        }
    }

    /// Notes bytes that are handed on.
    fn note_handed(&mut self, count: usize, grade: Grade) {
        self.record.handed(count, grade);
        if grade == Grade::Fit {
            self.under_way += count;
            self.wanted = self.wanted.saturating_sub(count);
        }
    }
}
