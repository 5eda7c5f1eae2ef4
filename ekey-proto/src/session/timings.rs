//! How patient a session is.

use core::time::Duration;

/// How long a key may say nothing that verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// After opening, before the key has said who it is.
    pub opening_silence: Duration,
    /// At any later time.
    pub running_silence: Duration,
}

impl Default for Timings {
    /// 3 s after opening, 5 s later on: a key speaks at least once a second.
    fn default() -> Self {
        Self { opening_silence: Duration::from_secs(3), running_silence: Duration::from_secs(5) }
    }
}
