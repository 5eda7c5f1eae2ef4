//! A key's rate of entropy over the last five seconds.
//!
//! A key sends bursts of 2.5 kB, one or two a second. Counting those within five seconds would make the rate of a steady key jump
//! by a tenth. So the rate is measured from one arrival to another.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(500);
/// A burst may be read in several parts within this time.
const BURST: Duration = Duration::from_millis(100);
/// A key that runs sends more often than this.
const PAUSE: Duration = Duration::from_millis(1500);

/// Remembers the total at a few arrivals of the last five seconds.
pub(super) struct Rate {
    /// Arrivals at least a step apart. The first bytes of all only start the measurement.
    marks: VecDeque<(Instant, u64)>,
    /// The newest arrival.
    newest: (Instant, u64),
}

impl Rate {
    /// Starts at a total of zero.
    pub(super) fn new(now: Instant) -> Self {
        Self { marks: VecDeque::new(), newest: (now, 0) }
    }

    /// Notes the total in bytes at `now`.
    pub(super) fn note(&mut self, now: Instant, total: u64) {
        if total == self.newest.1 {
            return;
        }
        if now.duration_since(self.newest.0) >= WINDOW {
            // What a key has kept while it was silent does not come at its rate.
            self.marks.clear();
        }
        self.newest = (now, total);
        if let [(began, first)] = self.marks.make_contiguous()
            && now.duration_since(*began) < BURST
        {
            *first = total;
        }
        if self.marks.back().is_none_or(|(last, _)| now.duration_since(*last) >= STEP) {
            self.marks.push_back((now, total));
        }
        while self.marks.get(1).is_some_and(|(second, _)| now.duration_since(*second) >= WINDOW) {
            self.marks.pop_front();
        }
    }

    /// Returns the rate in bytes per second at `now`.
    pub(super) fn bytes_per_second(&self, now: Instant) -> f64 {
        let (newest, total) = self.newest;
        let silent = now.duration_since(newest);
        let Some((since, then)) = self.marks.front().filter(|_| silent < WINDOW) else { return 0.0 };
        let end = if silent < PAUSE { newest } else { now };
        let seconds = end.duration_since(*since).as_secs_f64();
        if seconds >= STEP.as_secs_f64() { total.saturating_sub(*then) as f64 / seconds } else { 0.0 }
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
        let seen = rate.bytes_per_second(at(10_000));
        assert!((seen - 4000.0).abs() < 1.0, "{seen}");
        assert!(rate.marks.len() < 13, "{} marks", rate.marks.len());
        let [soon, dead] = [13_000, 16_000].map(|ms| rate.bytes_per_second(at(ms)));
        assert!(soon < 3000.0 && dead.abs() < 1.0, "{soon}, {dead}");
    }

    #[test]
    fn bursts_make_no_peak_at_the_start_or_later() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rate = Rate::new(start);
        let mut seen = Vec::new();
        // The first burst comes at once, in two parts; each later one after 619 ms.
        rate.note(at(30), 1000);
        for burst in 0..60 {
            rate.note(at(33 + burst * 619), (burst + 1) * 2496);
            let looks = [0, 100, 300, 600].map(|ms| rate.bytes_per_second(at(33 + burst * 619 + ms)));
            seen.extend(looks.into_iter().filter(|_| burst > 2));
        }
        assert!(seen.iter().all(|seen| (seen - 4032.0).abs() < 25.0), "a steady key has a steady rate: {seen:?}");
    }

    #[test]
    fn what_was_kept_while_silent_makes_no_peak() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rate = Rate::new(start);
        for burst in 0..20 {
            rate.note(at(burst * 619), (burst + 1) * 2496);
        }
        rate.note(at(60_000), 200_000);
        for burst in 1..9 {
            rate.note(at(60_000 + burst * 619), 200_000 + burst * 2496);
        }
        let seen = rate.bytes_per_second(at(65_000));
        assert!((seen - 4032.0).abs() < 5.0, "{seen}");
    }
}
