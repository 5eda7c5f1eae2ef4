//! Keeps ^C and the like from interrupting the time between taking a key from the daemon and giving it back.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Blocks the signals that would end the program, until dropped. Use it only for work with a time limit.
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
        // The mask was valid for this thread before.
        let _ = self.before.thread_set_mask();
    }
}
