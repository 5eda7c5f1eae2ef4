//! The clock of a session. It stands still while the daemon does not read the key, so that such a pause is not a key's silence.

use std::time::{Duration, Instant};

use ekey_proto::Instant as SessionInstant;
use nix::time::{ClockId, clock_gettime};

/// A shorter suspension of the machine does not count.
const NOTICED_SLEEP: Duration = Duration::from_secs(1);

/// Converts between the system's and the session's time.
pub(super) struct Clock {
    start: Instant,
    asleep: Duration,
}

impl Clock {
    /// Starts the session's time at zero.
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), asleep: time_asleep() }
    }

    /// Returns the session's time.
    pub(super) fn now(&self) -> SessionInstant {
        SessionInstant::after_start(self.start.elapsed())
    }

    /// Converts a session's time to the system's.
    pub(super) fn instant(&self, at: SessionInstant) -> Instant {
        self.start + at.since_start()
    }

    /// Skips a pause in which the daemon did not read the key.
    pub(super) fn leave_out(&mut self, pause: Duration) {
        self.start += pause;
    }

    /// Returns whether the machine was suspended since the last call. If so, the key may have lost power.
    pub(super) fn has_slept(&mut self) -> bool {
        let asleep = time_asleep();
        let slept = asleep.saturating_sub(self.asleep) >= NOTICED_SLEEP;
        self.asleep = asleep;
        slept
    }
}

/// Returns how long the machine has been suspended since its boot: CLOCK_BOOTTIME counts that time, CLOCK_MONOTONIC does not.
fn time_asleep() -> Duration {
    let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
    let awake = read(ClockId::CLOCK_MONOTONIC);
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(awake)
}
