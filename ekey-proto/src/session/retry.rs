//! Growing pauses between attempts that need a change outside to succeed: another keyring, another key at the port.

use core::time::Duration;

use super::instant::Instant;

const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The time of the next attempt, if any, and the pause after it.
pub(super) struct Retry {
    pub(super) at: Option<Instant>,
    pause: Duration,
}

impl Retry {
    /// Plans no attempt.
    pub(super) const fn new() -> Self {
        Self { at: None, pause: FIRST_PAUSE }
    }

    /// Plans an attempt now, and begins again with the shortest pause.
    pub(super) const fn at_once(now: Instant) -> Self {
        Self { at: Some(now), pause: FIRST_PAUSE }
    }

    /// Plans the next attempt after the pause, and doubles the pause.
    pub(super) fn schedule(&mut self, now: Instant) {
        self.at = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
