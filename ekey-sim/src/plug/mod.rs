//! Where a key plugs in, so that a host finds it.

mod pty;
mod unix;

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

pub use self::pty::Pty;
pub use self::unix::UnixSocket;
use crate::{SimError, StopHandle};

/// A way for bytes between a key and at most one host at a time.
pub trait Plug {
    /// Waits until one of the things wished for has come, a host has come or left, or `stop` is stopped.
    ///
    /// # Errors
    /// [`SimError::System`] if the system does not let it wait.
    fn wait(&mut self, wish: &Wish, stop: &StopHandle) -> Result<News, SimError>;

    /// Takes what the host has sent without waiting: the number of bytes, 0 if there is nothing, `None` if the host has
    /// left.
    ///
    /// # Errors
    /// [`SimError::System`] for what is not the host's leaving.
    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, SimError>;

    /// Sends without waiting. Returns how many bytes were taken, 0 if there is no room or no host.
    ///
    /// # Errors
    /// [`SimError::System`] for what is not the host's leaving.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, SimError>;
}

/// What is worth waking up for.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Bytes from the host.
    pub input: bool,
    /// Room for bytes to the host.
    pub room: bool,
    /// This time; `None`: however long it takes.
    pub until: Option<Instant>,
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Whether there is a host.
    pub host: Host,
    /// Whether to read: there are bytes, or the host has left.
    pub input: bool,
}

/// The host's whereabouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// There is none.
    Absent,
    /// It is the one of last time.
    Present,
    /// It has come since last time, the first one ever.
    Arrived,
    /// It has come since last time, and another one, or it itself, was there before.
    Reopened,
}

/// Waits for any of `fds` until the deadline.
pub(crate) fn poll_until(fds: &mut [PollFd<'_>], until: Option<Instant>) -> Result<(), SimError> {
    loop {
        match poll(fds, timeout(until)) {
            Err(Errno::EINTR) => {}
            outcome => return outcome.map(drop).map_err(SimError::system("wait for the host", "try again")),
        }
    }
}

fn timeout(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else { return PollTimeout::NONE };
    // Rounded up: a timeout of 0 for the rest of a millisecond would spin.
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_nanos(999_999);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}
