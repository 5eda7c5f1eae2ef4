//! A handle to a software key in another thread: ends it, or unplugs it and plugs it in.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::SimError;

/// A handle that ends [`run`](crate::run). All its clones are the same handle. Once stopped, it stays stopped.
#[derive(Debug, Clone)]
pub struct StopHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stopped: AtomicBool,
    toggles: AtomicU32,
    event: EventFd,
}

impl StopHandle {
    /// Makes a new handle.
    ///
    /// # Errors
    /// [`SimError::System`] if the process or the machine has no file descriptor left.
    pub fn new() -> Result<Self, SimError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_flags(flags)
            .map_err(SimError::system("make a stop handle", "raise the limit of open files (ulimit -n)"))?;
        Ok(Self(Arc::new(Inner { stopped: AtomicBool::new(false), toggles: AtomicU32::new(0), event })))
    }

    /// Ends every run that has this handle. Does not wait.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Unplugs a key on USB, or plugs it in if it is out. Does not wait. A key elsewhere ignores it.
    pub fn toggle(&self) {
        self.0.toggles.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Returns whether the handle has been stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// Returns the number of toggles since the last call. Afterwards the handle is readable only if it is stopped, or
    /// toggled again.
    pub(crate) fn take_toggles(&self) -> u32 {
        // Clear the event before reading the state: a toggle in between makes it readable again.
        let _ = self.0.event.read();
        if self.is_stopped() {
            self.wake();
        }
        self.0.toggles.swap(0, Ordering::SeqCst)
    }

    fn wake(&self) {
        // The only other failure is a full counter, which is readable already.
        while self.0.event.write(1) == Err(Errno::EINTR) {}
    }
}

/// Readable once the handle is stopped or toggled.
impl AsFd for StopHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn is_readable(handle: &StopHandle) -> bool {
        let mut fds = [PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    #[test]
    fn a_stopped_handle_stays_stopped_for_all_its_clones() {
        let handle = StopHandle::new().unwrap();
        let clone = handle.clone();
        assert!(!clone.is_stopped());
        handle.stop();
        handle.stop();
        assert!(clone.is_stopped() && clone.is_stopped() && handle.is_stopped());
        assert_eq!(handle.take_toggles(), 0);
        assert!(is_readable(&clone), "a later wait returns too");
    }

    #[test]
    fn toggles_are_counted_once_and_wake_once() {
        let handle = StopHandle::new().unwrap();
        handle.toggle();
        handle.toggle();
        assert!(is_readable(&handle));
        assert_eq!((handle.take_toggles(), handle.take_toggles()), (2, 0));
        assert!(!is_readable(&handle) && !handle.is_stopped());
    }
}
