//! Ends a read that waits on a key, from another thread, at once.
//!
//! A read polls an eventfd together with the key's descriptor, so no thread has to wake up at intervals to see whether to stop.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::LinkError;

/// A handle that wakes the thread that reads from a link. All clones are the same handle.
///
/// One handle serves one reading thread: a wake ends one read, the one that waits or else the next. The handle outlives the link,
/// so it serves again when the key is opened again.
#[derive(Debug, Clone)]
pub struct Interrupt {
    event: Arc<EventFd>,
}

impl Interrupt {
    /// Makes a handle that is not awake.
    ///
    /// # Errors
    /// [`LinkError::Interrupt`] when the process or the machine has no file descriptor left.
    pub fn new() -> Result<Self, LinkError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_flags(flags).map_err(|errno| LinkError::Interrupt { source: errno.into() })?;
        Ok(Self { event: Arc::new(event) })
    }

    /// Ends the read that waits, or the next one if none does. Never waits; several wakes before that read are one.
    pub fn wake(&self) {
        // The only failure is EAGAIN, a full counter: then it is awake already.
        while self.event.write(1) == Err(Errno::EINTR) {}
    }

    /// Whether it was woken since the last call.
    ///
    /// For a thread that waits for something other than a link, such as the time of the next attempt to open it.
    #[must_use]
    pub fn take(&self) -> bool {
        loop {
            match self.event.read() {
                Err(Errno::EINTR) => {}
                outcome => return outcome.is_ok(),
            }
        }
    }
}

/// The descriptor is readable while the handle is awake, for an event loop or a poll of one's own.
impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
