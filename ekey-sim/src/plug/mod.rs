//! Places where a key plugs in for a host to find.

mod pty;
mod unix;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

pub use self::pty::Pty;
pub use self::unix::UnixSocket;
use crate::{SimError, StopHandle};

/// A byte pipe between a key and at most one host at a time.
pub trait Plug {
    /// Waits until something in `wish` happens, a host comes or leaves, or `stop` is stopped.
    ///
    /// # Errors
    /// [`SimError::System`] if the system cannot wait.
    fn wait(&mut self, wish: &Wish, stop: &StopHandle) -> Result<News, SimError>;

    /// Reads without waiting. Returns the number of bytes, 0 if there are none, `None` if the host has left.
    ///
    /// # Errors
    /// [`SimError::System`] for any failure other than a host that has left.
    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, SimError>;

    /// Writes without waiting. Returns how many bytes were taken, 0 if there is no room or no host.
    ///
    /// # Errors
    /// [`SimError::System`] for any failure other than a host that has left.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, SimError>;
}

/// What to wait for.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Bytes from the host.
    pub input: bool,
    /// Room for bytes to the host.
    pub room: bool,
    /// A deadline; `None` waits without end.
    pub until: Option<Instant>,
}

impl Wish {
    /// Returns the events to poll the host's descriptor for.
    pub(crate) fn poll_flags(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, self.input);
        flags.set(PollFlags::POLLOUT, self.room);
        flags
    }
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Whether there is a host.
    pub host: Host,
    /// Whether to read: bytes have come, or the host has left.
    pub input: bool,
}

/// The state of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// There is no host.
    Absent,
    /// It is the same host as last time.
    Present,
    /// The first host ever has come.
    Arrived,
    /// A host has come, and there was one before: another one, or the same.
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

/// Returns whether the same call may succeed later.
pub(crate) fn is_temporary(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn timeout(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else { return PollTimeout::NONE };
    // Rounded up: a timeout of 0 for the rest of a millisecond would spin.
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_nanos(999_999);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}
