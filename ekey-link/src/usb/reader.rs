//! The thread that always reads from a key, so that no byte has to wait on the key.
//!
//! It asks for one packet at a time. A transfer of one packet ends with that packet; a longer one would hold back what came until it
//! is full or the key sends a short packet. At the key's 126 packets a second the thread asks for the next packet long before it
//! comes. It never cancels a transfer while the link is open, so none takes bytes with it. The bytes go into a socket with room for
//! some packets; while the socket is full, the thread does not read, and the key waits.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::SndBuf;
use rusb::Error;

use super::stall::Stalls;

/// How long one transfer waits for a packet; zero means for ever to libusb. Some virtual USB controllers lose a packet that arrives
/// just when its transfer times out.
const PATIENCE: Duration = Duration::ZERO;
/// How far the reader may be ahead, in bytes as the kernel reckons them: some packets.
const AHEAD: usize = 2048;
/// Failed transfers in a row that are a fault. Fewer may be the first sign of an unplug.
const MOST_FAILURES: u32 = 6;
const AFTER_FAILURE: Duration = Duration::from_millis(50);
/// Some packets without bytes are ordinary (they end a transfer); a key that sends nothing else is slowed down.
const MOST_EMPTY: u32 = 8;
const AFTER_EMPTY: Duration = Duration::from_millis(5);

/// How soon to look whether the thread has ended: at first, and at most.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// Where packets come from.
pub(super) trait BulkIn: Send + Sync + 'static {
    /// The longest packet, in bytes.
    fn packet_len(&self) -> usize;
    /// Waits for a packet.
    fn read(&self, buf: &mut [u8], timeout: Duration) -> rusb::Result<usize>;
    /// Clears a halt that a read has reported.
    fn clear_stall(&self) -> rusb::Result<()>;
}

/// A running reader.
pub(super) struct Reader {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    ended_by: OnceLock<Error>,
}

impl Reader {
    /// Starts to read packets and to write them into `feed`, which is closed when there will be no more.
    pub(super) fn start<S: BulkIn>(source: Arc<S>, mut feed: UnixStream) -> std::io::Result<Self> {
        setsockopt(&feed, SndBuf, &AHEAD)?;
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("key-usb".into()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                if let Err(error) = read_on(&*source, &mut feed, &shared.stopping) {
                    let _ = shared.ended_by.set(error);
                }
                // Release the claim before the end of the feed shows that this is the end.
                drop(source);
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Returns why no more bytes will come.
    pub(super) fn verdict(&self) -> Error {
        self.shared.ended_by.get().copied().unwrap_or(Error::NoDevice)
    }

    /// Waits until the thread has ended. Calls `end_transfer` again and again to end the transfer that the thread waits for. Close
    /// the other end of its socket first.
    pub(super) fn stop(&mut self, end_transfer: impl Fn()) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let mut pause = FIRST_LOOK;
            loop {
                end_transfer();
                thread::sleep(pause);
                if thread.is_finished() {
                    break;
                }
                // It may have begun another transfer just before it could see that it is to stop.
                pause = (pause * 2).min(LAST_LOOK);
            }
            // The thread cannot panic. If it did, the link ends here anyway.
            let _ = thread.join();
        }
    }
}

fn read_on(source: &impl BulkIn, feed: &mut UnixStream, stopping: &AtomicBool) -> rusb::Result<()> {
    let mut packet = vec![0; source.packet_len()];
    let mut stalls = Stalls::default();
    let (mut failures, mut empty) = (0, 0);
    while !stopping.load(Ordering::Relaxed) {
        match source.read(&mut packet, PATIENCE) {
            Ok(0) => {
                empty += 1;
                if empty > MOST_EMPTY {
                    thread::sleep(AFTER_EMPTY);
                }
            }
            Ok(count) => {
                (failures, empty) = (0, 0);
                if feed.write_all(packet.get(..count).unwrap_or_default()).is_err() {
                    // The link has closed the other end.
                    return Ok(());
                }
            }
            Err(Error::Timeout | Error::Interrupted) => {}
            Err(Error::Pipe) if stalls.forgive(Instant::now()) => source.clear_stall()?,
            Err(error @ (Error::Io | Error::Overflow | Error::Other)) => {
                failures += 1;
                if failures >= MOST_FAILURES {
                    return Err(error);
                }
                thread::sleep(AFTER_FAILURE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use rusb::Error;

    use super::{BulkIn, MOST_FAILURES, Reader};

    /// A key that answers reads by a script, then has gone.
    struct Scripted {
        answers: Mutex<VecDeque<rusb::Result<&'static [u8]>>>,
        cleared: AtomicUsize,
    }

    impl BulkIn for Scripted {
        fn packet_len(&self) -> usize {
            64
        }

        fn read(&self, buf: &mut [u8], _timeout: Duration) -> rusb::Result<usize> {
            let bytes = self.answers.lock().unwrap().pop_front().unwrap_or(Err(Error::NoDevice))?;
            buf[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        }

        fn clear_stall(&self) -> rusb::Result<()> {
            self.cleared.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    /// What came, why it ended, and how many halts were cleared.
    fn read_all(answers: Vec<rusb::Result<&'static [u8]>>) -> (Vec<u8>, Error, usize) {
        let key = Arc::new(Scripted { answers: Mutex::new(answers.into()), cleared: AtomicUsize::new(0) });
        let (mut inbound, feed) = UnixStream::pair().unwrap();
        let mut reader = Reader::start(Arc::clone(&key), feed).unwrap();
        let mut got = Vec::new();
        inbound.read_to_end(&mut got).unwrap();
        let verdict = reader.verdict();
        reader.stop(|| {});
        (got, verdict, key.cleared.load(Ordering::Relaxed))
    }

    #[test]
    fn packets_come_in_order_and_an_unplug_ends_them() {
        let (got, verdict, _) = read_all(vec![Ok(b"one "), Ok(b""), Ok(b"two "), Err(Error::Timeout), Ok(b"three")]);
        assert_eq!(got, b"one two three");
        assert_eq!(verdict, Error::NoDevice);
    }

    #[test]
    fn a_failed_transfer_before_an_unplug_is_no_fault() {
        let (got, verdict, _) = read_all(vec![Ok(b"last"), Err(Error::Io), Err(Error::Io)]);
        assert_eq!(got, b"last");
        assert_eq!(verdict, Error::NoDevice);
    }

    #[test]
    fn transfers_that_fail_again_and_again_are_a_fault() {
        let failures = vec![Err(Error::Io); MOST_FAILURES as usize];
        assert_eq!(read_all(failures).1, Error::Io);
    }

    #[test]
    fn a_packet_makes_up_for_the_failures_before_it() {
        let mut answers = vec![Err(Error::Io); MOST_FAILURES as usize - 1];
        answers.push(Ok(&b"fine"[..]));
        answers.extend(vec![Err(Error::Io); MOST_FAILURES as usize - 1]);
        let (got, verdict, _) = read_all(answers);
        assert_eq!((got.as_slice(), verdict), (&b"fine"[..], Error::NoDevice));
    }

    #[test]
    fn a_halt_is_cleared_once_and_a_second_ends_the_link() {
        let (got, verdict, cleared) = read_all(vec![Err(Error::Pipe), Ok(b"on"), Err(Error::Pipe), Ok(b"never")]);
        assert_eq!(got, b"on");
        assert_eq!((verdict, cleared), (Error::Pipe, 1));
    }

    #[test]
    fn a_reader_whose_feed_is_closed_ends() {
        let endless = vec![Ok(&[b'x'; 64][..]); 100_000];
        let key = Arc::new(Scripted { answers: Mutex::new(endless.into()), cleared: AtomicUsize::new(0) });
        let (inbound, feed) = UnixStream::pair().unwrap();
        let mut reader = Reader::start(Arc::clone(&key), feed).unwrap();
        drop(inbound);
        reader.stop(|| {});
        assert!(!key.answers.lock().unwrap().is_empty(), "it must not have read the key dry");
    }
}
