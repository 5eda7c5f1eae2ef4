//! What the event loop and the file's thread share without a lock: the room left, the bytes written, and the end.
//!
//! In every interleaving of the two, the thread wakes a loop that found no room once there is some, and each byte handed over is
//! counted as written, waiting or dropped. The tests run all interleavings (feature `loom`).

#[cfg(feature = "loom")]
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};
#[cfg(not(feature = "loom"))]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};

/// Shared by the loop, the only one that hands over, and the thread, the only one that writes.
pub(super) struct Handover {
    /// Limit on the bytes that wait to be written.
    most_waiting: u64,
    /// Bytes that may be written; 0 until the file is open.
    limit: AtomicU64,
    written: AtomicU64,
    /// Bytes that left the queue, written or not.
    taken: AtomicU64,
    /// The loop found no room; the thread must wake it when there is some.
    starved: AtomicBool,
    over: AtomicBool,
    /// How often the loop has forgotten what it handed over before.
    forgotten: AtomicU64,
    /// Bytes that left the queue unwritten for that reason.
    discarded: AtomicU64,
}

/// What became of the bytes handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) written: u64,
    pub(super) waiting: u64,
    /// Never to be written.
    pub(super) dropped: u64,
}

/// The loop's side. `given` is how many bytes it has handed over so far.
impl Handover {
    pub(super) fn new(most_waiting: u64) -> Self {
        Self {
            most_waiting,
            limit: AtomicU64::new(0),
            written: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            starved: AtomicBool::new(true),
            over: AtomicBool::new(false),
            forgotten: AtomicU64::new(0),
            discarded: AtomicU64::new(0),
        }
    }

    /// Returns how many bytes can be handed over. After a 0 the thread [sees](Self::is_awaited) that the loop waits for room.
    pub(super) fn room(&self, given: u64, queue_is_full: impl Fn() -> bool) -> u64 {
        match self.room_now(given, &queue_is_full) {
            0 => {
                // Looks again after asking to be woken: the thread may have made room in between. A swap comes either before the
                // thread's own, which then sees it, or after it, and then sees the room.
                self.starved.swap(true, AcqRel);
                self.room_now(given, &queue_is_full)
            }
            room => room,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Acquire)
    }

    pub(super) fn fate(&self, given: u64) -> Fate {
        // Before the bytes are counted: once it is over, no more are written.
        let over = self.is_over();
        let written = self.written.load(Acquire);
        let discarded = self.discarded.load(Acquire);
        let unwritten = given.saturating_sub(written).saturating_sub(discarded);
        let (waiting, dropped) = if over { (0, unwritten) } else { (unwritten, 0) };
        Fate { written, waiting, dropped: discarded + dropped }
    }

    /// Discards what was handed over and is not written yet.
    pub(super) fn forget(&self) {
        self.forgotten.fetch_add(1, AcqRel);
    }

    fn room_now(&self, given: u64, queue_is_full: impl Fn() -> bool) -> u64 {
        if self.is_over() || queue_is_full() {
            return 0;
        }
        let waiting = given.saturating_sub(self.taken.load(Acquire));
        // What was discarded does not count towards the limit.
        let counted = given.saturating_sub(self.discarded.load(Acquire));
        let to_limit = self.limit.load(Acquire).saturating_sub(counted);
        self.most_waiting.saturating_sub(waiting).min(to_limit)
    }
}

/// The thread's side.
impl Handover {
    /// Notes that the file is open and takes up to `limit` bytes.
    pub(super) fn open(&self, limit: u64) {
        self.limit.store(limit, Release);
    }

    pub(super) fn note_written(&self, bytes: u64) {
        self.written.fetch_add(bytes, AcqRel);
    }

    pub(super) fn note_taken(&self, bytes: u64) {
        self.taken.fetch_add(bytes, AcqRel);
    }

    /// Returns how often the loop has forgotten what it handed over before. Only what came since then is to be written.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Acquire)
    }

    /// Notes bytes that are not written because the loop has forgotten them. Call it before [`note_taken`](Self::note_taken).
    pub(super) fn note_discarded(&self, bytes: u64) {
        self.discarded.fetch_add(bytes, AcqRel);
    }

    /// Returns whether to wake the loop now that there is room. Returns `false` until the loop finds no room again.
    pub(super) fn is_awaited(&self) -> bool {
        self.starved.swap(false, AcqRel)
    }

    /// Notes that nothing more will be written.
    pub(super) fn end(&self) {
        self.over.store(true, Release);
    }
}

#[cfg(test)]
#[cfg(feature = "loom")]
mod tests {
    use std::collections::VecDeque;

    use loom::sync::{Arc, Condvar, Mutex, Notify};
    use loom::thread::{self, JoinHandle};

    use super::*;

    /// Stands for the sink's queue and its waker, with loom's types.
    struct Between {
        handover: Handover,
        batches: Mutex<VecDeque<u64>>,
        sent: Condvar,
        waker: Notify,
    }

    /// Limits on batches in the queue and on bytes that wait.
    const QUEUE: usize = 1;
    const MOST_WAITING: u64 = 4;
    /// Bytes to hand over, more than may wait.
    const ALL: u64 = 6;

    impl Between {
        /// Starts the thread, which opens the file and then runs `write`.
        fn start(write: impl Fn(&Self) + Send + 'static) -> (Arc<Self>, JoinHandle<()>) {
            let between = Arc::new(Self {
                handover: Handover::new(MOST_WAITING),
                batches: Mutex::new(VecDeque::new()),
                sent: Condvar::new(),
                waker: Notify::new(),
            });
            let there = Arc::clone(&between);
            let writer = thread::spawn(move || {
                there.handover.open(u64::MAX);
                there.wake_loop();
                write(&there);
            });
            (between, writer)
        }

        fn room(&self, given: u64) -> u64 {
            self.handover.room(given, || self.batches.lock().unwrap().len() >= QUEUE)
        }

        fn send(&self, batch: u64) {
            let mut batches = self.batches.lock().unwrap();
            assert!(batches.len() < QUEUE, "there was room, and the queue is full");
            batches.push_back(batch);
            self.sent.notify_one();
        }

        fn receive(&self) -> u64 {
            let mut batches = self.batches.lock().unwrap();
            loop {
                match batches.pop_front() {
                    Some(batch) => return batch,
                    None => batches = self.sent.wait(batches).unwrap(),
                }
            }
        }

        fn wake_loop(&self) {
            if self.handover.is_awaited() {
                self.waker.notify();
            }
        }
    }

    #[test]
    fn a_loop_that_found_no_room_is_woken() {
        loom::model(|| {
            let (between, writer) = Between::start(|there| {
                let mut written = 0;
                while written < ALL {
                    let batch = there.receive();
                    there.handover.note_written(batch);
                    there.handover.note_taken(batch);
                    there.wake_loop();
                    written += batch;
                }
            });
            let mut given = 0;
            while given < ALL {
                match between.room(given) {
                    // A wake-up that is lost is a deadlock, which loom finds.
                    0 => between.waker.wait(),
                    room => {
                        let batch = room.min(ALL - given);
                        between.send(batch);
                        given += batch;
                    }
                }
            }
            writer.join().unwrap();
            assert_eq!(between.handover.fate(given), Fate { written: ALL, waiting: 0, dropped: 0 });
        });
    }

    #[test]
    fn a_dropped_byte_is_never_written() {
        loom::model(|| {
            let (between, writer) = Between::start(|there| {
                let batch = there.receive();
                there.handover.note_written(1);
                there.handover.note_written(1);
                there.handover.note_taken(batch);
                // The disk is full.
                there.handover.end();
                there.waker.notify();
            });
            while between.room(0) == 0 {
                between.waker.wait();
            }
            between.send(3);
            let looks = [between.handover.fate(3), between.handover.fate(3)];
            writer.join().unwrap();
            let last = between.handover.fate(3);
            assert_eq!(last, Fate { written: 2, waiting: 0, dropped: 1 });
            assert_eq!(between.room(3), 0, "it is over");
            let mut before = 0;
            for look in looks {
                assert_eq!(look.written + look.waiting + look.dropped, 3, "{look:?}");
                assert!(look.written >= before, "{looks:?}");
                assert!(look.dropped == 0 || look == last, "{look:?}, then {last:?}");
                before = look.written;
            }
        });
    }
}
