//! All tests and statistics over one piece of data that begins and ends: what `ekey-ctl test` shows.

use crate::{
    AdaptiveProportion, Alarm, Alpha, Bias, FipsBlock, FipsRatio, Repeats, RepetitionCount, Statistics, Summary, Test,
};

/// Goes on for as long as bytes are handed in.
pub struct Examination {
    alpha: Alpha,
    repetition: RepetitionCount,
    proportion: AdaptiveProportion,
    block: FipsBlock,
    ratio: FipsRatio,
    bias: Bias,
    repeats: Repeats,
    first: [Option<Alarm>; Test::ALL.len()],
    fips: FipsCounts,
    statistics: Statistics,
    bytes: u64,
}

/// Blocks of 20,000 bits, and how many failed each test of FIPS 140-2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FipsCounts {
    /// Blocks.
    pub blocks: u64,
    /// Those that failed at least one test.
    pub failures: u64,
    /// Those that failed the monobit test.
    pub monobit: u64,
    /// Those that failed the poker test.
    pub poker: u64,
    /// Those that failed the runs test.
    pub runs: u64,
    /// Those with a run of 26 bits or more.
    pub long_run: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What it was judged by.
    pub alpha: Alpha,
    /// The first failure of each test that failed, in the order of [`Test::ALL`].
    pub alarms: Vec<Alarm>,
    /// FIPS 140-2, block by block.
    pub fips: FipsCounts,
    /// The statistics.
    pub summary: Summary,
    /// How often each byte value came.
    pub counts: Box<[u64; 256]>,
}

impl Examination {
    /// Begins. `alpha` is for the tests, and for each statistic.
    pub fn new(alpha: Alpha) -> Self {
        Self {
            alpha,
            repetition: RepetitionCount::new(alpha),
            proportion: AdaptiveProportion::new(alpha),
            block: FipsBlock::default(),
            ratio: FipsRatio::new(alpha),
            bias: Bias::new(alpha),
            repeats: Repeats::new(),
            first: [None; Test::ALL.len()],
            fips: FipsCounts::default(),
            statistics: Statistics::default(),
            bytes: 0,
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let alarms = [self.repetition.feed(bytes), self.proportion.feed(bytes), self.repeats.feed(bytes)];
        alarms.into_iter().flatten().for_each(|alarm| self.note(alarm));
        self.statistics.feed(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, complete) = self.block.feed(rest);
            self.bytes += taken as u64;
            rest = &rest[taken..];
            let Some(outcome) = complete else { continue };
            let counts = &mut self.fips;
            counts.blocks += 1;
            counts.failures += u64::from(!outcome.is_good());
            counts.monobit += u64::from(outcome.monobit);
            counts.poker += u64::from(outcome.poker);
            counts.runs += u64::from(outcome.runs);
            counts.long_run += u64::from(outcome.long_run);
            let alarms = [self.ratio.note(&outcome, self.bytes - 1), self.bias.note(&outcome, self.bytes - 1)];
            alarms.into_iter().flatten().for_each(|alarm| self.note(alarm));
        }
    }

    /// What came of it; `None` if there was not a whole block of 2,500 bytes, which is too little to judge.
    pub fn report(&self) -> Option<Report> {
        let summary = self.statistics.summary().filter(|_| self.fips.blocks > 0)?;
        Some(Report {
            alpha: self.alpha,
            alarms: self.first.into_iter().flatten().collect(),
            fips: self.fips,
            summary,
            counts: Box::new(*self.statistics.counts()),
        })
    }

    fn note(&mut self, alarm: Alarm) {
        self.first[alarm.test.index()].get_or_insert(alarm);
    }
}

impl Report {
    /// The statistics that good data would give with a probability of less than alpha, with that probability.
    pub fn unlikely(&self) -> Vec<(&'static str, f64)> {
        let Summary { ones_p, chi_square_p, serial_correlation_p, .. } = self.summary;
        let all = [("ones", ones_p), ("chi-square", chi_square_p), ("serial correlation", serial_correlation_p)];
        all.into_iter().filter(|(_, p)| *p < self.alpha.value()).collect()
    }

    /// Whether nothing speaks against the data. Nothing speaks for it either: what is predictable can look as good.
    pub fn is_good(&self) -> bool {
        self.alarms.is_empty() && self.unlikely().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_fails_everything_that_it_should_and_says_where_first() {
        let mut examination = Examination::new(Alpha::default());
        assert_eq!(examination.report(), None);
        examination.feed(&[9; 40_000]);
        let report = examination.report().expect("a report");
        let seen: Vec<(&str, u64)> = report.alarms.iter().map(|alarm| (alarm.test.name(), alarm.at_byte)).collect();
        let due = [("repetition-count", 5), ("adaptive-proportion", 18), ("fips-ratio", 17_499), ("period", 512)];
        assert_eq!(seen, due);
        assert_eq!((report.fips.blocks, report.fips.failures, report.fips.long_run), (16, 16, 0));
        assert_eq!(report.unlikely().len(), 3);
        assert!(!report.is_good());
    }
}
