//! How a client asks.

use std::time::Duration;

/// How a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habit {
    /// Bytes that each request asks for.
    pub bytes: u8,
    /// Requests that it has in flight at a time.
    pub ahead: usize,
    /// How often it asks; `None`: as soon as it has its answer.
    pub every: Option<Duration>,
}

impl Habit {
    /// Asks for `bytes` bytes again and again, one request after the other.
    #[must_use]
    pub fn steady(bytes: u8) -> Self {
        Self { bytes, ahead: 1, every: None }
    }

    /// Asks for the most that a request can, 64 requests ahead.
    #[must_use]
    pub fn greedy() -> Self {
        Self { bytes: 255, ahead: 64, every: None }
    }

    /// Asks for `bytes` bytes at an interval, answered or not.
    #[must_use]
    pub fn at_intervals(bytes: u8, every: Duration) -> Self {
        Self { bytes, ahead: usize::MAX, every: Some(every) }
    }
}
