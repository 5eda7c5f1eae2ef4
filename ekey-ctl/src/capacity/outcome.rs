//! What a simulation came to.

use super::waits::Waits;

/// How many steps the time is drawn in.
pub(super) const STEPS: usize = 240;

/// All figures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// How long it was, in seconds.
    pub(crate) seconds: f64,
    /// Bytes asked for.
    pub(crate) asked: u64,
    /// Bytes given to clients.
    pub(crate) given: u64,
    /// Bytes that keys brought.
    pub(crate) brought: u64,
    /// Bytes given to the kernel.
    pub(crate) kernel: u64,
    /// Bytes that the pool had no room for.
    pub(crate) overflowed: u64,
    /// Bytes in the pool at the end.
    pub(crate) held: u64,
    /// Requests that were not answered by the end; how long they had waited is among the waits.
    pub(crate) unanswered: u64,
    /// From asking to the last byte.
    pub(crate) waits: Waits,
    /// For how long the pool was empty, in seconds.
    pub(crate) empty: f64,
    /// Equal parts of the time.
    pub(crate) steps: Vec<Step>,
}

/// One part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// Bytes asked for.
    pub(crate) asked: u64,
    /// Bytes that keys brought.
    pub(crate) brought: u64,
    /// Bytes in the pool, at the lowest.
    pub(crate) pool: u64,
    /// Clients that waited, at the most.
    pub(crate) waiting: u64,
}

impl Outcome {
    /// Nothing yet, of so many seconds to come.
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

    /// Seconds of a step.
    pub(crate) fn step_seconds(&self) -> f64 {
        self.seconds / STEPS as f64
    }

    /// Which part of the time the pool was empty.
    pub(crate) fn part_empty(&self) -> f64 {
        self.empty / self.seconds
    }
}
