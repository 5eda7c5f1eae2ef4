//! How often a rung may be tried.

use std::time::{Duration, Instant};

/// A burst of attempts, and one more after each interval.
#[derive(Debug)]
pub(super) struct Limit {
    burst: u32,
    interval: Duration,
    left: u32,
    /// The start of the interval that earns the next attempt.
    since: Option<Instant>,
}

impl Limit {
    pub(super) fn new((burst, interval): (u32, Duration)) -> Self {
        Self { burst, interval, left: burst, since: None }
    }

    /// Takes one attempt, if one is left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.earn(now);
        if self.left == 0 {
            return false;
        }
        if self.left == self.burst {
            self.since = Some(now);
        }
        self.left -= 1;
        true
    }

    fn earn(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        let earned = now.saturating_duration_since(since).as_millis() / self.interval.as_millis().max(1);
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(self.burst);
        self.since = if self.left == self.burst { None } else { since.checked_add(self.interval * earned) };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Limit;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_allowed_and_no_more() {
        let now = Instant::now();
        let mut limit = Limit::new((3, SECOND));
        assert_eq!([(); 5].map(|()| limit.take(now)), [true, true, true, false, false]);
    }

    #[test]
    fn each_interval_earns_an_attempt_without_loss() {
        let start = Instant::now();
        let mut limit = Limit::new((1, SECOND));
        assert!(limit.take(start));
        assert!(!limit.take(start + SECOND * 9 / 10));
        assert!(limit.take(start + SECOND));
        assert!(!limit.take(start + SECOND * 19 / 10));
        assert!(limit.take(start + SECOND * 2));
    }

    #[test]
    fn a_long_rest_earns_no_more_than_the_burst() {
        let start = Instant::now();
        let mut limit = Limit::new((2, SECOND));
        assert!(limit.take(start) && limit.take(start));
        let later = start + SECOND * 1_000_000;
        assert_eq!([(); 3].map(|()| limit.take(later)), [true, true, false]);
    }
}
