//! Runs all tests and statistics on data that ends: what `ekey-ctl test` shows.

use crate::battery::Battery;
use crate::{Alarm, Alpha, FipsCounts, Statistics, Summary, Test};

/// Examines data for as long as bytes come in.
pub struct Examination {
    alpha: Alpha,
    battery: Battery,
    first: [Option<Alarm>; Test::ALL.len()],
    statistics: Statistics,
}

/// The result of an examination.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The false-alarm rate of the tests.
    pub alpha: Alpha,
    /// The first failure of each test that failed, in the order of [`Test::ALL`].
    pub alarms: Vec<Alarm>,
    /// How many blocks failed FIPS 140-2.
    pub fips: FipsCounts,
    /// The statistics of all bytes.
    pub summary: Summary,
    /// How often each byte value came.
    pub counts: Box<[u64; 256]>,
}

impl Examination {
    /// Starts. `alpha` is the false-alarm rate of the tests, and of each statistic.
    pub fn new(alpha: Alpha) -> Self {
        Self { alpha, battery: Battery::new(alpha), first: [None; Test::ALL.len()], statistics: Statistics::default() }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for alarm in self.battery.feed(bytes).into_iter().flatten() {
            self.first[alarm.test.index()].get_or_insert(alarm);
        }
        self.statistics.feed(bytes);
    }

    /// Returns the result so far, or `None` for less than a block of 2,500 bytes, which is too little to judge.
    pub fn report(&self) -> Option<Report> {
        let fips = self.battery.fips();
        let summary = self.statistics.summary().filter(|_| fips.blocks > 0)?;
        Some(Report {
            alpha: self.alpha,
            alarms: self.first.into_iter().flatten().collect(),
            fips,
            summary,
            counts: Box::new(*self.statistics.counts()),
        })
    }
}

impl Report {
    /// Returns the statistics that good data gives with a probability below alpha, each with its probability.
    pub fn unlikely(&self) -> Vec<(&'static str, f64)> {
        let Summary { ones_p, chi_square_p, serial_correlation_p, .. } = self.summary;
        let all = [("ones", ones_p), ("chi-square", chi_square_p), ("serial correlation", serial_correlation_p)];
        all.into_iter().filter(|(_, p)| *p < self.alpha.value()).collect()
    }

    /// Returns whether all tests and statistics pass. That proves nothing: predictable data can pass too.
    pub fn is_good(&self) -> bool {
        self.alarms.is_empty() && self.unlikely().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_fails_at_the_expected_bytes() {
        let mut examination = Examination::new(Alpha::default());
        assert_eq!(examination.report(), None);
        examination.feed(&[9; 40_000]);
        let report = examination.report().expect("a report");
        let seen: Vec<(&str, u64)> = report.alarms.iter().map(|alarm| (alarm.test.name(), alarm.at_byte)).collect();
        let expected = [("repetition-count", 5), ("adaptive-proportion", 18), ("fips-ratio", 17_499), ("period", 512)];
        assert_eq!(seen, expected);
        assert_eq!((report.fips.blocks, report.fips.failures, report.fips.long_run), (16, 16, 0));
        assert_eq!(report.unlikely().len(), 3);
        assert!(!report.is_good());
    }
}
