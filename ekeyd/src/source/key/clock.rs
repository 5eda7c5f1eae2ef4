//! The clock that a session is given: it stands still while the daemon, and not the key, is what holds things up.

use std::time::{Duration, Instant};

use ekey_proto::Instant as SessionInstant;
use nix::time::{ClockId, clock_gettime};

/// A machine that was suspended for less than this is not asked about.
const NOTICED_SLEEP: Duration = Duration::from_secs(1);

/// Turns the system's time into a session's and back.
pub(super) struct Clock {
    start: Instant,
    asleep: Duration,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), asleep: time_asleep() }
    }

    /// The session's time.
    pub(super) fn now(&self) -> SessionInstant {
        SessionInstant::after_start(self.start.elapsed())
    }

    /// The system's time at a session's time.
    pub(super) fn instant(&self, at: SessionInstant) -> Instant {
        self.start + at.since_start()
    }

    /// Leaves out a stretch of time in which the key was not listened to, so that it does not count as silence.
    pub(super) fn leave_out(&mut self, pause: Duration) {
        self.start += pause;
    }

    /// Whether the machine was suspended since this was asked last. The key may have lost its power meanwhile.
    pub(super) fn has_slept(&mut self) -> bool {
        let asleep = time_asleep();
        let slept = asleep.saturating_sub(self.asleep) >= NOTICED_SLEEP;
        self.asleep = asleep;
        slept
    }
}

/// How long the machine has been suspended since it was started: what CLOCK_BOOTTIME counts and CLOCK_MONOTONIC does not.
fn time_asleep() -> Duration {
    let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
    let awake = read(ClockId::CLOCK_MONOTONIC);
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(awake)
}
