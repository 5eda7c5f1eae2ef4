//! Ends a read that waits on a key, from another thread, at once.
//!
//! An eventfd is polled together with the key's descriptor, so nobody has to wake up now and then to see whether it is time to stop.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::LinkError;

/// A handle to wake the thread that reads from a link. Its clones are all the same handle.
///
/// One handle serves one reading thread: a wake ends one read, the one that waits or else the next. It outlives the link, so the
/// same handle serves when the key is opened again.
#[derive(Debug, Clone)]
pub struct Interrupt {
    event: Arc<EventFd>,
}

impl Interrupt {
    /// Makes a handle that was not woken yet.
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

    /// Whether it was woken since it was asked last.
    ///
    /// For a thread that waits on something else than a link (between two attempts to open it, say).
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
