//! The result of a simulation.

use super::waits::Waits;

/// Steps of the time axis.
pub(super) const STEPS: usize = 240;

/// All figures of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// Simulated seconds.
    pub(crate) seconds: f64,
    /// Bytes asked for.
    pub(crate) asked: u64,
    /// Bytes given to clients.
    pub(crate) given: u64,
    /// Bytes that the keys delivered.
    pub(crate) brought: u64,
    /// Bytes given to the kernel.
    pub(crate) kernel: u64,
    /// Bytes that the pool had no room for.
    pub(crate) overflowed: u64,
    /// Bytes in the pool at the end.
    pub(crate) held: u64,
    /// Requests without an answer at the end. `waits` includes how long they had waited.
    pub(crate) unanswered: u64,
    /// Times from request to last byte.
    pub(crate) waits: Waits,
    /// Seconds with an empty pool, or with less in it than the next request asks for.
    pub(crate) empty: f64,
    /// The figures of equal parts of the time.
    pub(crate) steps: Vec<Step>,
}

/// One part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Bytes asked for.
    pub(crate) asked: u64,
    /// Bytes that the keys delivered.
    pub(crate) brought: u64,
    /// Lowest number of bytes in the pool.
    pub(crate) pool: u64,
    /// Highest number of waiting clients.
    pub(crate) waiting: u64,
}

impl Outcome {
    /// Makes an outcome without figures, for this many seconds.
    pub(super) fn new(seconds: f64) -> Self {
        Self {
            seconds,
            asked: 0,
            given: 0,
            brought: 0,
            kernel: 0,
            overflowed: 0,
            held: 0,
            unanswered: 0,
            waits: Waits::default(),
            empty: 0.0,
            steps: vec![Step { asked: 0, brought: 0, pool: u64::MAX, waiting: 0 }; STEPS],
        }
    }

    /// Returns the seconds of a step.
    pub(crate) fn step_seconds(&self) -> f64 {
        self.seconds / STEPS as f64
    }

    /// Returns the part of the time with an [empty](Self::empty) pool, 0 to 1.
    pub(crate) fn part_empty(&self) -> f64 {
        self.empty / self.seconds
    }
}
