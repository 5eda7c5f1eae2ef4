//! The file sink: appends entropy to a file, a pipe or the standard output, on a thread of its own because any of them may block.
//!
//! The event loop asks how much [room](FileSink::room) there is, hands over a batch, and is woken when there is room again. The
//! thread writes batches in order, exactly up to the limit. The first error ends the sink for good: an operator must look at a
//! full disk or a reader that left, and the other outlets get the entropy meanwhile.

mod handover;
mod outlet;
mod target;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::source::batch::Batch;
use crate::worker::{Worker, lock};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use ekey_link::Interrupt;

use handover::{Fate, Handover};
pub(crate) use outlet::FileOutlet;
use target::{Broken, Target};

/// Limit on the bytes that wait to be written.
const QUEUE_BYTES: u64 = 64 * 1024;
/// Limit on the batches that wait to be written.
const QUEUE_BATCHES: usize = 256;
/// How often to check whether a pipe has a reader.
const LOOK_FOR_READER: Duration = Duration::from_millis(500);
/// How long an interrupted thread may take to end. It ends at once, unless standard output blocks in a write.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// A file or pipe as a consumer of entropy.
pub(crate) struct FileSink {
    /// `None` once it was asked to stop.
    batches: Option<Sender<Queued>>,
    /// `None` once it was waited for.
    worker: Option<Worker>,
    interrupt: Interrupt,
    shared: Arc<Shared>,
    /// Bytes taken since the start.
    accepted: u64,
}

/// A batch that waits to be written, with how often the sink had forgotten when it came.
type Queued = (u64, Batch);

/// The state of a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileState {
    /// Bytes taken since the start.
    pub given: u64,
    /// Bytes written since the start.
    pub written: u64,
    /// Bytes taken that wait to be written.
    pub waiting: u64,
    /// Bytes taken that will never be written.
    pub dropped: u64,
    /// Why nothing more is written: an error and what to do about it, or that the limit is reached.
    pub stopped: Option<String>,
}

/// What the thread tells the sink.
struct Shared {
    handover: Handover,
    /// Why it ended.
    stopped: Mutex<Option<String>>,
}

impl FileSink {
    /// Starts to write to `path`: creates it with mode 0600, or appends to it; `-` is the standard output. Waits until a pipe has a
    /// reader. `max_bytes` limits the size of a regular file, including what it already held, or the bytes written to anything
    /// else.
    ///
    /// The sink's thread calls `wake` when there is room after [`room`](Self::room) was 0, and when it stops.
    ///
    /// # Errors
    /// The system cannot start a thread. If `path` cannot be opened, the [`state`](Self::state) says so.
    pub(crate) fn start(path: &Path, max_bytes: Option<u64>, wake: Box<dyn Fn() + Send>) -> io::Result<Self> {
        let interrupt = Interrupt::new().map_err(io::Error::other)?;
        let (batches, queue) = bounded(QUEUE_BATCHES);
        let shared = Arc::new(Shared { handover: Handover::new(QUEUE_BYTES), stopped: Mutex::new(None) });
        let writer = Writer {
            path: path.to_owned(),
            max_bytes: max_bytes.unwrap_or(u64::MAX),
            queue,
            interrupt: interrupt.clone(),
            shared: Arc::clone(&shared),
            wake,
        };
        let worker = Worker::start("file".to_owned(), move || writer.run())?;
        Ok(Self { batches: Some(batches), worker: Some(worker), interrupt, shared, accepted: 0 })
    }

    /// Returns how many bytes can be handed over now: 0 until the file is open, while the queue is full, at the limit, and after an
    /// error. After a 0 that may change, the thread calls `wake`.
    pub(crate) fn room(&self) -> usize {
        let Some(batches) = &self.batches else { return 0 };
        usize::try_from(self.shared.handover.room(self.accepted, || batches.is_full())).unwrap_or(usize::MAX)
    }

    /// Returns whether it has stopped, by an error or at its limit.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.handover.is_over()
    }

    /// Hands over a batch of at most [`room`](Self::room) bytes; never waits. If the thread has stopped meanwhile, wipes the batch
    /// and counts it as dropped.
    pub(crate) fn send(&mut self, batch: Batch) {
        self.accepted += batch.len() as u64;
        if let Some(batches) = &self.batches {
            // There was room, so this fails only if the thread has ended.
            let _ = batches.try_send((self.shared.handover.forgotten(), batch));
        }
    }

    /// Discards what waits to be written. The thread wipes it instead of writing it; what a write under way has taken is out.
    pub(crate) fn forget(&self) {
        self.shared.handover.forget();
    }

    /// Returns its state.
    pub(crate) fn state(&self) -> FileState {
        self.shared.state(self.accepted)
    }

    /// Writes what was handed over, flushes, and ends; drops the rest after `grace`. Returns the last state.
    pub(crate) fn stop(mut self, grace: Duration) -> FileState {
        self.batches = None;
        let Some(worker) = self.worker.take() else { return self.shared.state(self.accepted) };
        if !worker.ends_within(grace) {
            self.interrupt.wake();
        }
        if !worker.stop(LAST_GRACE) {
            tracing::warn!("the file output hangs in a write; its thread is abandoned");
        }
        self.shared.state(self.accepted)
    }
}

impl Drop for FileSink {
    /// Without [`stop`](Self::stop), drops what waits; the thread must not wait for a reader for ever.
    fn drop(&mut self) {
        self.batches = None;
        self.interrupt.wake();
    }
}

impl Shared {
    fn state(&self, given: u64) -> FileState {
        let Fate { written, waiting, dropped } = self.handover.fate(given);
        let stopped = lock(&self.stopped).clone();
        FileState { given, written, waiting, dropped, stopped }
    }
}

/// The thread's side.
struct Writer {
    path: PathBuf,
    max_bytes: u64,
    queue: Receiver<Queued>,
    interrupt: Interrupt,
    shared: Arc<Shared>,
    wake: Box<dyn Fn() + Send>,
}

impl Writer {
    fn run(self) {
        match self.write_all() {
            Ok(()) => self.end("the limit max-bytes is reached", || {
                tracing::info!(path = %self.path.display(), "the file output has reached its limit max-bytes and ends");
            }),
            Err(Broken::Stopped) => {}
            Err(Broken::Failed(source)) => {
                let what = format!("{}: {source}; {}", self.path.display(), target::advice(&source));
                self.end(&what, || tracing::error!("the file output has stopped: {what}, then restart the daemon"));
            }
        }
    }

    /// Returns when the limit is reached.
    fn write_all(&self) -> Result<(), Broken> {
        let mut target = self.open()?;
        let limit = self.max_bytes.saturating_sub(target.size());
        self.shared.handover.open(limit);
        self.made_room();
        let mut left = limit;
        while left > 0 {
            let Ok((forgotten, batch)) = self.queue.recv() else {
                target.flush()?;
                return Err(Broken::Stopped);
            };
            let allowed = usize::try_from(left).unwrap_or(usize::MAX).min(batch.len());
            let outcome = target.write(&batch[..allowed], &self.interrupt, &self.shared.handover, forgotten);
            let unwritten = outcome.as_ref().map_or(0, |written| allowed - written);
            self.shared.handover.note_discarded(unwritten as u64);
            self.shared.handover.note_taken(batch.len() as u64);
            left -= outcome? as u64;
            self.made_room();
        }
        target.flush()
    }

    /// Opens the file; a pipe once it has a reader.
    fn open(&self) -> Result<Target, Broken> {
        let mut logged = false;
        loop {
            if let Some(target) = Target::open(&self.path)? {
                return Ok(target);
            }
            if !logged {
                tracing::info!(path = %self.path.display(), "the file output waits for a reader of the pipe");
                logged = true;
            }
            // Nothing is queued before the file is open, so a message here only means to stop.
            select! {
                recv(self.queue) -> _ => return Err(Broken::Stopped),
                default(LOOK_FOR_READER) => {}
            }
        }
    }

    fn end(&self, why: &str, tell: impl FnOnce()) {
        *lock(&self.shared.stopped) = Some(why.to_owned());
        self.shared.handover.end();
        tell();
        (self.wake)();
    }

    fn made_room(&self) {
        if self.shared.handover.is_awaited() {
            (self.wake)();
        }
    }
}

#[cfg(test)]
mod tests;
