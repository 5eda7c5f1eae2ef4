//! How long a session waits for a key.

use core::time::Duration;

/// How long a key may send nothing that verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Before the first `S!`.
    pub opening_silence: Duration,
    /// After it.
    pub running_silence: Duration,
}

impl Default for Timings {
    /// Allows 3 s before the first `S!` and 5 s after it: a key speaks at least once a second.
    fn default() -> Self {
        Self { opening_silence: Duration::from_secs(3), running_silence: Duration::from_secs(5) }
    }
}
