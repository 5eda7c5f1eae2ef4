//! The thread that credits the kernel: the only one with CAP_SYS_ADMIN, which it uses for nothing else.
//!
//! On Linux each thread has its own capabilities. The event loop, which reads what strangers send, hands over bytes and a number
//! of bits, and gets back the kernel's answer.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;

use crossbeam_channel::{Receiver, Sender, bounded};
use nix::errno::Errno;

use crate::source::batch::Batch;

/// Stack size in bytes; the thread needs little.
const STACK: usize = 128 * 1024;

/// The thread's calls on the random device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calls {
    /// Adds bytes, and credits that many bits.
    pub(super) add: fn(BorrowedFd<'_>, &[u8], u32) -> nix::Result<()>,
    /// Makes the generator take a new seed.
    pub(super) reseed: fn(BorrowedFd<'_>) -> nix::Result<()>,
}

/// What the event loop asks of the thread.
enum Ask {
    Add(Batch, u32),
    Reseed,
}

/// The way to the thread, which ends when this is dropped.
pub(super) struct Creditor {
    asks: Sender<Ask>,
    answers: Receiver<nix::Result<()>>,
}

impl Creditor {
    /// Starts the thread, which makes `calls` on `device`. Calls `confine` on it first and returns its result.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub(super) fn start<T: Send + 'static>(
        device: File,
        calls: Calls,
        confine: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<(Self, T)> {
        let (asks, inbox) = bounded::<Ask>(0);
        let (answer, answers) = bounded(1);
        let (confined, outcome) = bounded(1);
        std::thread::Builder::new().name("credit".to_owned()).stack_size(STACK).spawn(move || {
            let _ = confined.send(confine());
            for ask in inbox {
                let outcome = match ask {
                    Ask::Add(bytes, bits) => (calls.add)(device.as_fd(), &bytes, bits),
                    Ask::Reseed => (calls.reseed)(device.as_fd()),
                };
                if answer.send(outcome).is_err() {
                    return;
                }
            }
        })?;
        let outcome = outcome.recv().map_err(io::Error::other)?;
        Ok((Self { asks, answers }, outcome))
    }

    /// Mixes `bytes` into the kernel's pool and credits it `bits` bits.
    ///
    /// # Errors
    /// The kernel's error; `EPERM` if the thread has ended, and the privilege with it.
    pub(super) fn add(&self, bytes: &[u8], bits: u32) -> nix::Result<()> {
        self.ask(Ask::Add(Batch::new(bytes.to_vec()), bits))
    }

    /// Makes the kernel's generator take a new seed.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub(super) fn reseed(&self) -> nix::Result<()> {
        self.ask(Ask::Reseed)
    }

    fn ask(&self, ask: Ask) -> nix::Result<()> {
        self.asks.send(ask).map_err(|_| Errno::EPERM)?;
        self.answers.recv().map_err(|_| Errno::EPERM)?
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static CONFINED: Cell<bool> = const { Cell::new(false) };
    }

    fn only_where_confined(_: BorrowedFd<'_>, bytes: &[u8], bits: u32) -> nix::Result<()> {
        match (CONFINED.get(), bytes, bits) {
            (true, b"four", 28) => Ok(()),
            (true, ..) => Err(Errno::EINVAL),
            (false, ..) => Err(Errno::EPERM),
        }
    }

    #[test]
    fn credit_is_added_on_the_confined_thread() {
        let device = File::open("/dev/null").unwrap();
        let reseed = |_: BorrowedFd<'_>| if CONFINED.get() { Ok(()) } else { Err(Errno::EPERM) };
        let confine = || {
            CONFINED.set(true);
            "as it said"
        };
        let (creditor, outcome) = Creditor::start(device, Calls { add: only_where_confined, reseed }, confine).unwrap();
        assert_eq!(outcome, "as it said");
        assert_eq!(creditor.add(b"four", 28), Ok(()));
        assert_eq!(creditor.add(b"four", 29), Err(Errno::EINVAL));
        assert_eq!(creditor.add(b"four", 28), Ok(()), "it goes on after a failure");
        assert_eq!(creditor.reseed(), Ok(()));
    }
}
