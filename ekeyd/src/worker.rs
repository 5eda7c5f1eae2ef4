//! A thread whose owner can wait for its end, and abandon it if it hangs; and the lock on what threads share.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

/// A thread with a name. Its owner asks it to end in its own way.
pub(crate) struct Worker {
    /// Disconnected when the thread has ended.
    finished: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system cannot start one.
    pub(crate) fn start(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (alive, finished) = bounded(0);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            // Dropped at the end, also by a panic.
            let _alive = alive;
            run();
        })?;
        Ok(Self { finished, thread })
    }

    /// Returns whether it still runs.
    pub(crate) fn is_running(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }

    /// Waits up to `patience` for its end. Returns whether it has ended.
    pub(crate) fn ends_within(&self, patience: Duration) -> bool {
        self.finished.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    /// Waits for the end of a thread that was asked to end, and abandons it after `grace`. Returns whether it has ended.
    pub(crate) fn stop(self, grace: Duration) -> bool {
        if !self.ends_within(grace) {
            return false;
        }
        let name = self.thread.thread().name().unwrap_or("unnamed").to_owned();
        if self.thread.join().is_err() {
            tracing::error!("the thread {name} panicked; please report this");
        }
        true
    }
}

/// Locks what threads share. A thread that panicked with the lock leaves values that are whole: no change here takes two steps.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_is_abandoned() {
        let (end, ended) = bounded::<()>(0);
        let worker = Worker::start("test".to_owned(), move || {
            let _ = ended.recv();
        })
        .unwrap();
        assert!(worker.is_running() && !worker.ends_within(Duration::from_millis(1)));
        assert!(!worker.stop(Duration::from_millis(1)));
        drop(end);
    }

    #[test]
    fn a_thread_that_ended_or_panicked_has_ended() {
        for run in [|| (), || panic!("on purpose")] {
            assert!(Worker::start("test".to_owned(), run).unwrap().stop(Duration::from_secs(600)));
        }
    }
}
