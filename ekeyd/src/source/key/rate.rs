//! A key's rate of entropy over the last five seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(500);

/// Remembers the total at a few moments of the last five seconds.
pub(super) struct Rate {
    marks: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Starts at a total of zero.
    pub(super) fn new(now: Instant) -> Self {
        Self { marks: VecDeque::from([(now, 0)]) }
    }

    /// Notes the total in bytes at `now`.
    pub(super) fn note(&mut self, now: Instant, total: u64) {
        if self.marks.back().is_none_or(|(last, _)| now.duration_since(*last) >= STEP) {
            self.marks.push_back((now, total));
        }
        while self.marks.get(1).is_some_and(|(second, _)| now.duration_since(*second) >= WINDOW) {
            self.marks.pop_front();
        }
    }

    /// Returns the rate in bytes per second, for a total of `total` bytes at `now`.
    pub(super) fn bytes_per_second(&self, now: Instant, total: u64) -> f64 {
        let since = self.marks.iter().rev().find(|(at, _)| now.duration_since(*at) >= WINDOW).or(self.marks.front());
        let Some((at, then)) = since else { return 0.0 };
        let seconds = now.duration_since(*at).as_secs_f64();
        if seconds > 0.0 { total.saturating_sub(*then) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_a_source_and_falls_to_zero() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rate = Rate::new(start);
        for step in 1..=100 {
            rate.note(at(step * 100), step * 400);
        }
        let seen = rate.bytes_per_second(at(10_000), 40_000);
        assert!((seen - 4000.0).abs() < 1.0, "{seen}");
        assert!(rate.marks.len() < 13, "{} marks", rate.marks.len());
        let dead = rate.bytes_per_second(at(16_000), 40_000);
        assert!(dead.abs() < 1.0, "{dead}");
    }
}
