//! Ends a software key that runs in another thread, at once.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::SimError;

/// A handle that ends [`run`](crate::run). Its clones are all the same handle; once stopped, it stays so.
#[derive(Debug, Clone)]
pub struct StopHandle(Arc<EventFd>);

impl StopHandle {
    /// Makes a handle that has not been used.
    ///
    /// # Errors
    /// [`SimError::System`] when the process or the machine has no file descriptor left.
    pub fn new() -> Result<Self, SimError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_flags(flags)
            .map_err(SimError::system("make a stop handle", "raise the limit of open files (ulimit -n)"))?;
        Ok(Self(Arc::new(event)))
    }

    /// Ends every run that was given this handle. Never waits.
    pub fn stop(&self) {
        // The only failure besides EINTR is a full counter, and then it is stopped already.
        while self.0.write(1) == Err(Errno::EINTR) {}
    }

    /// Whether it has been stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

/// Readable once it is stopped.
impl AsFd for StopHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_handle_stays_stopped_for_all_its_clones() {
        let handle = StopHandle::new().unwrap();
        let clone = handle.clone();
        assert!(!clone.is_stopped());
        handle.stop();
        handle.stop();
        assert!(clone.is_stopped() && clone.is_stopped() && handle.is_stopped());
    }
}
