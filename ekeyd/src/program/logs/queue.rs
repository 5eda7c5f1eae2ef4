//! The queue between the program's threads and its log, so that a slow log delays no thread.
//!
//! Logging never waits: if the queue is full, a line is lost and counted, and the next one says how many were lost. One thread
//! writes the lines. If it hangs in a write, the program goes on, and ends when asked to.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::line::Line;
use crate::worker::{Worker, lock};

/// Limit of waiting lines.
const MOST_LINES: usize = 512;
/// How long the last lines may take when the program ends.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Where lines go. Only the writer's thread writes to it, and it may block.
pub(super) trait Sink: Send + 'static {
    /// Writes a line.
    fn write(&mut self, line: &Line);
}

/// The end of the queue that takes lines.
pub(super) struct Entrance(Arc<Shared>);

/// The end of the queue that writes lines. Dropping it waits a moment for the last ones.
pub(crate) struct Logs {
    shared: Arc<Shared>,
    /// `None` once the thread has it.
    sink: Mutex<Option<Box<dyn Sink>>>,
}

/// Makes a queue that ends in `sink`.
pub(super) fn queue(sink: impl Sink) -> (Entrance, Logs) {
    let shared = Arc::new(Shared::default());
    (Entrance(Arc::clone(&shared)), Logs { shared, sink: Mutex::new(Some(Box::new(sink))) })
}

impl Logs {
    /// Starts the thread that writes the lines. Call it in the sandbox, which the thread inherits.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub(crate) fn start_writer(&self) -> io::Result<()> {
        let Some(sink) = lock(&self.sink).take() else { return Ok(()) };
        let shared = Arc::clone(&self.shared);
        // It ends with the program.
        Worker::start("log".to_owned(), move || shared.write_all(sink)).map(drop)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        // A program that ends before its writer starts still has to say why.
        if self.start_writer().is_ok() {
            let is_busy = |state: &mut State| state.writing || !state.lines.is_empty();
            // Whether all are written or not, the program ends.
            drop(self.shared.changed.wait_timeout_while(lock(&self.shared.state), LAST_LINES, is_busy));
        }
    }
}

impl<S: Subscriber> Layer<S> for Entrance {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.put(Line::of(event));
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Lines came, or all are written.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    /// Lines lost since one was taken.
    lost: u64,
    /// Whether the thread is writing a line.
    writing: bool,
}

impl Shared {
    /// Takes a line, or counts it as lost.
    fn put(&self, mut line: Line) {
        let mut state = lock(&self.state);
        if state.lines.len() >= MOST_LINES {
            state.lost += 1;
            return;
        }
        line.lost = std::mem::take(&mut state.lost);
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_all();
    }

    fn write_all(&self, mut sink: Box<dyn Sink>) {
        let mut state = lock(&self.state);
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.writing = true;
                drop(state);
                sink.write(&line);
                state = lock(&self.state);
                continue;
            }
            state.writing = false;
            self.changed.notify_all();
            // No thread panics with the lock.
            let Ok(woken) = self.changed.wait_while(state, |state| state.lines.is_empty()) else { return };
            state = woken;
        }
    }
}

/// Returns the line that `log` logs, for tests.
#[cfg(test)]
pub(super) fn logged(log: impl FnOnce()) -> Line {
    use tracing_subscriber::layer::SubscriberExt as _;

    let entrance = Entrance(Arc::default());
    let shared = Arc::clone(&entrance.0);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(entrance), log);
    lock(&shared.state).lines.pop_front().expect("a line was logged")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use crossbeam_channel::{Receiver, Sender, unbounded};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::super::journal::Journal;
    use super::*;

    /// Writes a line when it gets a permit.
    struct Stalled {
        permits: Receiver<()>,
        written: Sender<String>,
    }

    impl Sink for Stalled {
        fn write(&mut self, line: &Line) {
            if self.permits.recv().is_ok() {
                let _ = self.written.send(line.message());
            }
        }
    }

    fn stalled() -> (Entrance, Logs, Sender<()>, Receiver<String>) {
        let (permit, permits) = unbounded();
        let (written, lines) = unbounded();
        let (entrance, logs) = queue(Stalled { permits, written });
        (entrance, logs, permit, lines)
    }

    #[test]
    fn a_stalled_log_counts_what_it_loses() {
        let (entrance, logs, permit, lines) = stalled();
        let subscriber = tracing_subscriber::registry().with(entrance);
        let _in_use = tracing::subscriber::set_default(subscriber);
        (0..MOST_LINES + 7).for_each(|number| tracing::info!("line {number}"));
        logs.start_writer().unwrap();
        (0..MOST_LINES).for_each(|_| permit.send(()).unwrap());
        (0..MOST_LINES).for_each(|number| assert_eq!(lines.recv().unwrap(), format!("line {number}")));
        tracing::info!("next");
        tracing::info!("last");
        (0..2).for_each(|_| permit.send(()).unwrap());
        assert_eq!(lines.recv().unwrap(), "next (before this, 7 lines were lost: the log is too slow)");
        assert_eq!(lines.recv().unwrap(), "last");
    }

    #[test]
    fn the_end_waits_for_the_last_lines() {
        let (entrance, logs, permit, lines) = stalled();
        let _in_use = tracing::subscriber::set_default(tracing_subscriber::registry().with(entrance));
        (0..2).for_each(|_| permit.send(()).unwrap());
        // The writer has not started when the program ends.
        tracing::error!("one");
        tracing::error!("two");
        drop(logs);
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_hung_journal_delays_no_line_and_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let (entrance, logs) = queue(Journal::connect(&path).unwrap());
        let _in_use = tracing::subscriber::set_default(tracing_subscriber::registry().with(entrance));
        logs.start_writer().unwrap();
        (0..10 * MOST_LINES).for_each(|number| tracing::info!("line {number}"));
        drop(logs);
        // What the socket took before it was full is there.
        let mut datagram = [0; 1024];
        let count = journal.recv(&mut datagram).unwrap();
        assert!(String::from_utf8_lossy(&datagram[..count]).contains("MESSAGE=line 0\n"));
        // It stays hung. If it closed, the writer would pass the rest to stderr.
        std::mem::forget(journal);
    }
}
