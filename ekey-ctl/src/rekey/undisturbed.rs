//! A stretch that ^C and the like do not cut short: between taking a key away from the daemon and giving it back.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Holds the signals back that would end the program; they are delivered when this is dropped. For a stretch of known length only.
pub(super) struct Undisturbed {
    before: SigSet,
}

impl Undisturbed {
    pub(super) fn begin() -> nix::Result<Self> {
        let ending = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGTSTP]);
        Ok(Self { before: ending.thread_swap_mask(SigmaskHow::SIG_BLOCK)? })
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        // The mask was this thread's a moment ago.
        let _ = self.before.thread_set_mask();
    }
}
