//! Blocks signals while one of them would leave something half done: a changed terminal, or a key taken from the daemon.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that this thread blocks. Dropping it unblocks them: a pending one is delivered then.
pub(crate) struct Blocked {
    signals: SigSet,
    before: SigSet,
}

impl Blocked {
    /// Blocks `signals`.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn new(signals: &[Signal]) -> nix::Result<Self> {
        Self::block(SigSet::from_iter(signals.iter().copied()))
    }

    /// Blocks every signal that can be blocked: all except SIGKILL and SIGSTOP.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn all() -> nix::Result<Self> {
        Self::block(SigSet::all())
    }

    fn block(signals: SigSet) -> nix::Result<Self> {
        Ok(Self { signals, before: signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)? })
    }

    /// Returns a descriptor that is readable while a signal is pending. Reading from it takes the signal.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn descriptor(&self) -> nix::Result<SignalFd> {
        SignalFd::with_flags(&self.signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // The mask was valid for this thread before.
        let _ = self.before.thread_set_mask();
    }
}
