//! The clock that a session is given: it stands still while the daemon, and not the key, is what holds things up.

use std::time::{Duration, Instant};

use ekey_proto::Instant as SessionInstant;

/// Turns the system's time into a session's and back.
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn new() -> Self {
        Self { start: Instant::now() }
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
}
