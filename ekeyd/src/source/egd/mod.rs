//! The EGD client: fetches entropy from the EGD server of another machine, for a machine that has no key.
//!
//! It has its own thread, because resolving a name may take long. The event loop says how many bytes it [wants](EgdClient::want) at
//! the moment, is woken when some have come, and [takes](EgdClient::take) them into the pool, from which they go the same ways as a
//! key's. What to ask of which server and when is in `ekey-egd`. **No MAC proves these bytes**: they are as good as the server, and,
//! without TLS, as everyone on the way to it.

mod driver;
mod failure;
mod link;
mod record;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use ekey_control::status::EgdClientStatus;
use ekey_egd::{Fetcher, Pace, Request};
use ekey_link::Interrupt;

use crate::config;
use crate::source::batch::Batch;
use driver::Driver;
use record::Record;

/// Bytes that may be wanted at a time.
const MOST_WANTED: usize = 4096;
/// How long the thread may take to end. It ends at once, unless it resolves a name.
const LAST_GRACE: Duration = Duration::from_millis(500);

/// The client. Dropping it stops it.
pub(crate) struct EgdClient {
    shared: Arc<Mutex<Shared>>,
    interrupt: Interrupt,
    finished: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and the event loop share.
struct Shared {
    /// Bytes to fetch yet.
    wanted: usize,
    /// Bytes that have come.
    inbox: Batch,
    stopping: bool,
    record: Record,
}

impl EgdClient {
    /// Starts to look for a server. Calls `wake`, on the client's thread, when bytes have come.
    ///
    /// # Errors
    /// What the system says if it cannot make a thread.
    pub(crate) fn start(config: &config::EgdClient, wake: Box<dyn Fn() + Send>) -> io::Result<Self> {
        let interrupt = Interrupt::new().map_err(io::Error::other)?;
        let (done, finished) = bounded(0);
        let record = Record::new(&config.connect, Instant::now());
        let shared = Arc::new(Mutex::new(Shared { wanted: 0, inbox: empty_inbox(), stopping: false, record }));
        let config::EgdClient { request_bytes, timeout, first_pause, longest_pause, .. } = *config;
        let pace = Pace { request_bytes, timeout, first_pause, longest_pause };
        let driver = Driver {
            servers: config.connect.clone(),
            tls: config.tls.clone(),
            fetcher: Fetcher::new(pace, config.connect.len()),
            interrupt: interrupt.clone(),
            shared: Arc::clone(&shared),
            wake,
            _done: done,
        };
        let thread = std::thread::Builder::new().name("egd-client".to_owned()).spawn(move || driver.run())?;
        Ok(Self { shared, interrupt, finished, thread: Some(thread) })
    }

    /// Sets how many bytes are wanted, up to a few thousand, with those that have come and were not taken.
    pub(crate) fn want(&self, bytes: usize) {
        let mut shared = self.shared();
        let wanted = bytes.min(MOST_WANTED).saturating_sub(shared.inbox.len());
        if wanted != shared.wanted {
            shared.wanted = wanted;
            self.interrupt.wake();
        }
    }

    /// Returns the bytes that have come, if there are some, and no more than `room`.
    pub(crate) fn take(&self, room: usize) -> Option<Batch> {
        let mut shared = self.shared();
        let there_are_some = (1..=room).contains(&shared.inbox.len());
        there_are_some.then(|| std::mem::replace(&mut shared.inbox, empty_inbox()))
    }

    /// Returns the client's status.
    pub(crate) fn status(&self) -> EgdClientStatus {
        self.shared().record.status(Instant::now())
    }

    /// Closes the connection and ends the thread. Leaves the thread behind if it resolves a name, which cannot be interrupted.
    pub(crate) fn stop(mut self) {
        self.tell_to_stop();
        if self.finished.recv_timeout(LAST_GRACE) == Err(RecvTimeoutError::Timeout) {
            return tracing::warn!("resolving the name of an EGD server takes long, and is left behind");
        }
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the EGD client's thread had panicked; please report this");
        }
    }

    fn tell_to_stop(&self) {
        self.shared().stopping = true;
        self.interrupt.wake();
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for EgdClient {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

impl Shared {
    fn note_sent(&mut self, request: Request) {
        if matches!(request, Request::Wait(_)) {
            self.record.asked();
        }
    }

    fn note_entropy(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        self.wanted = self.wanted.saturating_sub(bytes.len());
        self.record.received(bytes.len());
    }
}

/// Has all the room that it can need: growing would leave a copy of its bytes behind.
fn empty_inbox() -> Batch {
    Batch::with_capacity(MOST_WANTED + u8::MAX as usize)
}
