//! A token bucket: limits the bytes a second, and allows a burst after a pause.

use std::time::{Duration, Instant};

/// A limit in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Bytes a second in the long run; at least 1.
    pub bytes_per_s: u32,
    /// Bytes at once, after a pause; at least [`Request::MOST_BYTES`](crate::Request::MOST_BYTES), or clients would wait for ever.
    pub burst_bytes: u32,
}

/// How much of its rate a peer has used. One time holds all of that: when the burst will be whole again.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    whole_at: Instant,
}

impl Bucket {
    /// Makes a bucket with the whole burst in it.
    #[must_use]
    pub fn full(now: Instant) -> Self {
        Self { whole_at: now }
    }

    /// Returns how many bytes may be given now.
    #[must_use]
    pub fn allowance(&self, rate: Rate, now: Instant) -> usize {
        let lacking = self.whole_at.saturating_duration_since(now).as_secs_f64() * f64::from(rate.bytes_per_s);
        (f64::from(rate.burst_bytes) - lacking).max(0.0) as usize
    }

    /// Takes `bytes` out of the bucket.
    pub fn spend(&mut self, rate: Rate, now: Instant, bytes: u64) {
        let cost = Duration::from_secs_f64(bytes as f64 / f64::from(rate.bytes_per_s));
        self.whole_at = self.whole_at.max(now) + cost;
    }

    /// Returns when `bytes` may be given at once. The burst is the most: a larger number counts as the burst.
    #[must_use]
    pub fn when(&self, rate: Rate, bytes: usize) -> Instant {
        let lacking = f64::from(rate.burst_bytes) - (bytes as f64).min(f64::from(rate.burst_bytes));
        // A microsecond more, so that rounding wakes no client too early.
        let spare = Duration::from_secs_f64(lacking / f64::from(rate.bytes_per_s));
        self.whole_at.checked_sub(spare).unwrap_or(self.whole_at) + Duration::from_micros(1)
    }

    /// Whether the burst is whole, so that there is nothing to remember.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.whole_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::some_time;
    use proptest::prelude::*;

    const RATE: Rate = Rate { bytes_per_s: 100, burst_bytes: 500 };

    #[test]
    fn after_a_burst_the_rate_holds() {
        let start = some_time();
        let mut bucket = Bucket::full(start);
        let mut given = 0;
        for tenth in 0..1000 {
            let now = start + Duration::from_millis(tenth * 100);
            let bytes = bucket.allowance(RATE, now);
            bucket.spend(RATE, now, bytes as u64);
            given += bytes;
        }
        let expected = 500.0 + 99.9 * 100.0;
        assert!(
            (given as f64 - expected).abs() < 20.0 * 1.0 + 1000.0 * 0.01,
            "{given} bytes in 99.9 s, not {expected}"
        );
    }

    #[test]
    fn it_says_when_there_will_be_enough() {
        let start = some_time();
        let mut bucket = Bucket::full(start);
        bucket.spend(RATE, start, 500);
        assert_eq!(bucket.allowance(RATE, start), 0);
        let at = bucket.when(RATE, 64);
        assert!(bucket.allowance(RATE, at) >= 64, "{} of 64", bucket.allowance(RATE, at));
        assert!(bucket.allowance(RATE, at - Duration::from_millis(20)) < 64);
        assert!(!bucket.is_full(start) && bucket.is_full(start + Duration::from_secs(5)));
    }

    proptest! {
        #[test]
        fn no_schedule_gets_more_than_burst_and_rate(
            bytes_per_s in 1..100_000_u32,
            burst_bytes in 1..100_000_u32,
            turns in prop::collection::vec((0..5_000_u64, 0..300_usize), 1..100),
        ) {
            let rate = Rate { bytes_per_s, burst_bytes };
            let start = some_time();
            let (mut bucket, mut now, mut given) = (Bucket::full(start), start, 0);
            for (ms, wanted) in turns {
                now += Duration::from_millis(ms);
                let bytes = wanted.min(bucket.allowance(rate, now));
                bucket.spend(rate, now, bytes as u64);
                given += bytes;
                let most = f64::from(burst_bytes) + (now - start).as_secs_f64() * f64::from(bytes_per_s);
                prop_assert!(given as f64 <= most + 1.0, "{} bytes, {} are allowed", given, most);
                let at = bucket.when(rate, 64);
                prop_assert!(bucket.allowance(rate, at) >= 64.min(burst_bytes as usize));
            }
        }
    }
}
