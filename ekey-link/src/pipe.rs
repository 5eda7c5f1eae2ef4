//! Reading and writing a descriptor that never blocks, bounded by a deadline. Tty and socket share it.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd;

use crate::{Interrupt, LinkError, Read};

/// The longest poll, so that its milliseconds fit. A longer wait takes several.
const LONGEST_POLL: Duration = Duration::from_secs(3600);

const OVER: PollFlags = PollFlags::POLLHUP.union(PollFlags::POLLERR).union(PollFlags::POLLNVAL);

/// Reads what has arrived, or waits for it. See [`crate::Link::read`].
///
/// It reads before it polls: a key that sends faster than it is read costs one system call a read.
pub(crate) fn read(
    fd: BorrowedFd<'_>,
    path: &Path,
    interrupt: &Interrupt,
    buf: &mut [u8],
    deadline: Instant,
) -> Result<Read, LinkError> {
    let mut seen = PollFlags::empty();
    loop {
        if interrupt.is_awake() && interrupt.take() {
            return Ok(Read::Interrupted);
        }
        match unistd::read(fd, buf) {
            // A tty that was hung up, or a socket whose other end has closed, returns 0 for ever. A raw tty has no other reason
            // to; if another program took it out of raw mode, opening it again cures that too.
            Ok(0) if !buf.is_empty() => return Err(LinkError::Gone),
            Ok(count) => return Ok(Read::Bytes(count)),
            Err(Errno::EAGAIN) if seen.intersects(OVER) => return Err(LinkError::Gone),
            Err(Errno::EAGAIN | Errno::EINTR) if Instant::now() >= deadline => return Ok(Read::TimedOut),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(LinkError::broken(path, errno)),
        }
        let ready = wait(fd, PollFlags::POLLIN, Some(interrupt), deadline);
        let ready = ready.map_err(|errno| LinkError::broken(path, errno))?;
        if ready.interrupted && interrupt.take() {
            return Ok(Read::Interrupted);
        }
        seen = ready.flags;
    }
}

/// Writes all of `bytes` by way of `write`, waiting for room where there is none. See [`crate::Link::write_all`].
pub(crate) fn write_all(
    fd: BorrowedFd<'_>,
    path: &Path,
    bytes: &[u8],
    deadline: Instant,
    write: impl Fn(BorrowedFd<'_>, &[u8]) -> nix::Result<usize>,
) -> Result<(), LinkError> {
    let mut rest = bytes;
    let mut hung_up = false;
    while !rest.is_empty() {
        match write(fd, rest) {
            Ok(count) if count > 0 => {
                rest = rest.get(count..).unwrap_or_default();
                continue;
            }
            Err(Errno::EINTR) => continue,
            Ok(_) | Err(Errno::EAGAIN) if hung_up => return Err(LinkError::Gone),
            Ok(_) | Err(Errno::EAGAIN) if Instant::now() >= deadline => {
                let sent = bytes.len() - rest.len();
                return Err(LinkError::WriteTimedOut { path: path.to_owned(), sent, expected: bytes.len() });
            }
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(LinkError::broken(path, errno)),
        }
        let seen = wait(fd, PollFlags::POLLOUT, None, deadline).map_err(|errno| LinkError::broken(path, errno))?;
        hung_up = seen.flags.intersects(OVER);
    }
    Ok(())
}

struct Seen {
    flags: PollFlags,
    interrupted: bool,
}

/// Polls once. After a signal it has seen nothing: the caller checks the clock and polls again.
fn wait(fd: BorrowedFd<'_>, events: PollFlags, interrupt: Option<&Interrupt>, deadline: Instant) -> nix::Result<Seen> {
    let key = PollFd::new(fd, events);
    let timeout = timeout(deadline);
    let (outcome, flags, interrupted) = if let Some(interrupt) = interrupt {
        let mut both = [key, PollFd::new(interrupt.as_fd(), PollFlags::POLLIN)];
        let outcome = poll(&mut both, timeout);
        (outcome, both[0].revents(), both[1].any().unwrap_or(false))
    } else {
        let mut one = [key];
        let outcome = poll(&mut one, timeout);
        (outcome, one[0].revents(), false)
    };
    match outcome {
        Ok(_) => Ok(Seen { flags: flags.unwrap_or(PollFlags::POLLERR), interrupted }),
        Err(Errno::EINTR) => Ok(Seen { flags: PollFlags::empty(), interrupted: false }),
        Err(errno) => Err(errno),
    }
}

/// Returns the time to `deadline`, rounded up to whole milliseconds so that a poll never returns just before it.
fn timeout(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now()).min(LONGEST_POLL);
    let millis = left.as_micros().div_ceil(1000);
    i32::try_from(millis).ok().and_then(|millis| PollTimeout::try_from(millis).ok()).unwrap_or(PollTimeout::ZERO)
}
