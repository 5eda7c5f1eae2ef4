//! Whether a key's session can be a recording: only if its nonce may have been there before.

use super::nonce::Fresh;

/// What is known of the nonces of a key's sessions.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    /// Whether the bytes may be those of a recording.
    is_doubtful: bool,
    /// The count of session keys after which no byte is doubtful: the last nonce is certainly new.
    certain_after: Option<u64>,
    /// Whether the last nonce was made before the kernel's generator was ready.
    is_early: bool,
}

impl Freshness {
    /// Notes a nonce that goes to the key. `rekeys`: session keys that were agreed before.
    pub(super) fn note_nonce(&mut self, fresh: &Fresh, rekeys: u64) {
        self.is_early = fresh.is_early;
        self.certain_after = fresh.is_certain.then_some(rekeys);
        // Until the new session key is there, the bytes are still those of the old one.
        self.is_doubtful |= !fresh.is_certain;
    }

    /// Notes how many session keys were agreed, before the bytes under the last one.
    pub(super) fn note_rekeys(&mut self, rekeys: u64) {
        if self.certain_after.is_some_and(|before| rekeys > before) {
            self.is_doubtful = false;
        }
    }

    /// Returns whether the bytes that come now may be those of a recording.
    pub(super) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Returns whether a new session should begin now that the kernel's generator `is_ready`; true once.
    pub(super) fn wants_new_session(&mut self, is_ready: impl FnOnce() -> bool) -> bool {
        let wants = self.is_early && is_ready();
        self.is_early &= !wants;
        wants
    }
}
