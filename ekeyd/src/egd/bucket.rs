//! A token bucket: so many bytes a second, and a burst after a time of nothing.

use std::time::{Duration, Instant};

use crate::config::Rate;

/// How much of its rate a peer has used. All of it is in one time: that at which the burst will be whole again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    whole_at: Instant,
}

impl Bucket {
    /// With the whole burst in it.
    pub(super) fn full(now: Instant) -> Self {
        Self { whole_at: now }
    }

    /// Bytes that may be given now.
    pub(super) fn allowance(&self, rate: Rate, now: Instant) -> usize {
        let lacking = self.whole_at.saturating_duration_since(now).as_secs_f64() * f64::from(rate.bytes_per_s);
        (f64::from(rate.burst_bytes) - lacking).max(0.0) as usize
    }

    /// So many bytes have been given.
    pub(super) fn spend(&mut self, rate: Rate, now: Instant, bytes: u64) {
        let cost = Duration::from_secs_f64(bytes as f64 / f64::from(rate.bytes_per_s));
        self.whole_at = self.whole_at.max(now) + cost;
    }

    /// When so many bytes may be given; more than the burst never may at once.
    pub(super) fn when(&self, rate: Rate, bytes: usize) -> Instant {
        let lacking = f64::from(rate.burst_bytes) - (bytes as f64).min(f64::from(rate.burst_bytes));
        // A microsecond more, so that rounding does not call anyone too early.
        let spare = Duration::from_secs_f64(lacking / f64::from(rate.bytes_per_s));
        self.whole_at.checked_sub(spare).unwrap_or(self.whole_at) + Duration::from_micros(1)
    }

    /// Whether the burst is whole, so that there is nothing to remember.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.whole_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { bytes_per_s: 100, burst_bytes: 500 };

    #[test]
    fn after_a_burst_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let mut given = 0;
        for tenth in 0..1000 {
            let now = start + Duration::from_millis(tenth * 100);
            let bytes = bucket.allowance(RATE, now);
            bucket.spend(RATE, now, bytes as u64);
            given += bytes;
        }
        let due = 500.0 + 99.9 * 100.0;
        assert!((given as f64 - due).abs() < 20.0 * 1.0 + 1000.0 * 0.01, "{given} bytes in 99.9 s, due are {due}");
    }

    #[test]
    fn it_says_when_there_will_be_enough() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        bucket.spend(RATE, start, 500);
        assert_eq!(bucket.allowance(RATE, start), 0);
        let at = bucket.when(RATE, 64);
        assert!(bucket.allowance(RATE, at) >= 64, "{} of 64", bucket.allowance(RATE, at));
        assert!(bucket.allowance(RATE, at - Duration::from_millis(20)) < 64);
        assert!(!bucket.is_full(start) && bucket.is_full(start + Duration::from_secs(5)));
    }
}
