//! Counts how long requests waited, in classes one per cent wide, so that any number of requests takes the same memory.

/// Classes in a factor of ten.
const TO_TEN: f64 = 232.0;
/// The first class: ten microseconds and less, in seconds.
const LEAST: f64 = 1e-5;
/// Enough for 10^8 s, three years.
const CLASSES: usize = 13 * TO_TEN as usize + 1;

/// The waits of all requests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Waits {
    at_once: u64,
    counts: Vec<u64>,
    longest: f64,
    sum: f64,
}

impl Default for Waits {
    fn default() -> Self {
        Self { at_once: 0, counts: vec![0; CLASSES], longest: 0.0, sum: 0.0 }
    }
}

impl Waits {
    /// Adds a request with this wait in seconds.
    pub(super) fn add(&mut self, seconds: f64) {
        self.longest = self.longest.max(seconds);
        self.sum += seconds;
        if seconds <= 0.0 {
            self.at_once += 1;
            return;
        }
        let class = ((seconds / LEAST).log10() * TO_TEN).ceil().clamp(0.0, (CLASSES - 1) as f64);
        self.counts[class as usize] += 1;
    }

    /// Returns the number of requests.
    pub(crate) fn count(&self) -> u64 {
        self.at_once + self.counts.iter().sum::<u64>()
    }

    /// Returns the part without a wait, 1 if there was no request.
    pub(crate) fn part_at_once(&self) -> f64 {
        if self.count() == 0 { 1.0 } else { self.at_once as f64 / self.count() as f64 }
    }

    /// Returns the longest wait, in seconds.
    pub(crate) fn longest(&self) -> f64 {
        self.longest
    }

    /// Returns the mean wait, in seconds.
    pub(crate) fn mean(&self) -> f64 {
        self.sum / (self.count().max(1) as f64)
    }

    /// Returns the wait in seconds that `part` of the requests did not exceed, at most one per cent too high.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let wanted = (self.count() as f64 * part).ceil() as u64;
        let mut seen = self.at_once;
        if seen >= wanted {
            return 0.0;
        }
        for (class, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return (LEAST * 10_f64.powf(class as f64 / TO_TEN)).min(self.longest);
            }
        }
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_match_the_sorted_waits_within_a_per_cent() {
        let mut waits = Waits::default();
        let all = (0..10_000_u32).map(|number| f64::from(number) * 0.37e-3).collect::<Vec<_>>();
        all.iter().for_each(|wait| waits.add(*wait));
        for part in [0.01, 0.5, 0.95, 0.99, 1.0] {
            let exact = all[(10_000.0 * part) as usize - 1];
            let told = waits.quantile(part);
            assert!(told >= exact * 0.999 && told <= exact * 1.0101, "{part}: {told} for {exact}");
        }
        assert_eq!((waits.count(), waits.longest()), (10_000, all[9999]));
    }

    #[test]
    fn without_requests_there_are_no_waits() {
        let mut waits = Waits::default();
        assert_eq!((waits.part_at_once(), waits.quantile(0.99), waits.mean()), (1.0, 0.0, 0.0));
        waits.add(0.0);
        waits.add(1e300);
        assert_eq!((waits.part_at_once(), waits.quantile(0.5), waits.longest()), (0.5, 0.0, 1e300));
    }
}
