//! Pauses between attempts that only a change outside can make succeed: another keyring, another key at the port.

use core::time::Duration;

use super::instant::Instant;

const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// No pause is longer.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// When the next attempt is due, if one is, and how long the pause after it will be.
pub(super) struct Retry {
    pub(super) at: Option<Instant>,
    pause: Duration,
}

impl Retry {
    /// No attempt is due.
    pub(super) const fn new() -> Self {
        Self { at: None, pause: FIRST_PAUSE }
    }

    /// An attempt is due now, and the pauses begin anew.
    pub(super) const fn at_once(now: Instant) -> Self {
        Self { at: Some(now), pause: FIRST_PAUSE }
    }

    /// Plans the next attempt, and twice the pause before the one after it.
    pub(super) fn schedule(&mut self, now: Instant) {
        self.at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
