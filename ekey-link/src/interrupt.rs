//! Ends a read that waits on a key, from another thread, at once.
//!
//! A waiting read polls an eventfd together with the key's descriptor, so that no thread wakes up only to see whether it
//! should stop. A read that finds bytes waiting looks at a flag instead, which takes no system call.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::LinkError;

/// A handle that wakes the thread that reads from a link. All clones are the same handle.
///
/// One handle serves one reading thread: a wake ends one read, the one that waits or else the next. The handle outlives the link,
/// so it serves again when the key is opened again.
#[derive(Debug, Clone)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    event: EventFd,
    /// Set before the event is written to.
    awake: AtomicBool,
}

impl Interrupt {
    /// Makes a handle that is not awake.
    ///
    /// # Errors
    /// [`LinkError::Interrupt`] when the process or the machine has no file descriptor left.
    pub fn new() -> Result<Self, LinkError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_flags(flags).map_err(|errno| LinkError::Interrupt { source: errno.into() })?;
        Ok(Self { shared: Arc::new(Shared { event, awake: AtomicBool::new(false) }) })
    }

    /// Ends the read that waits, or the next one if none does. Never waits; several wakes before that read are one.
    pub fn wake(&self) {
        self.shared.awake.store(true, Ordering::Release);
        // The only failure is EAGAIN, a full counter: then it is awake already.
        while self.shared.event.write(1) == Err(Errno::EINTR) {}
    }

    /// Whether [`take`](Self::take) would say yes. Makes no system call.
    pub(crate) fn is_awake(&self) -> bool {
        self.shared.awake.load(Ordering::Acquire)
    }

    /// Whether it was woken since the last call.
    ///
    /// For a thread that waits for something other than a link, such as the time of the next attempt to open it.
    #[must_use]
    pub fn take(&self) -> bool {
        let awake = self.shared.awake.swap(false, Ordering::AcqRel);
        loop {
            match self.shared.event.read() {
                Err(Errno::EINTR) => {}
                // A wake that has set the flag and not yet written counts now, and once more when it has.
                outcome => return awake || outcome.is_ok(),
            }
        }
    }
}

/// The descriptor is readable while the handle is awake, for an event loop or a poll of one's own.
impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}
