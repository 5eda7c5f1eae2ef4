//! Judges the figures that the key states about itself: entropy estimates that fall, and FIPS failures that pile up.
//!
//! The key stops when it passes its own limits, and then only a power cycle revives it. The limits are not published. But if a
//! generator gets worse, the key's estimates show it first, so a warning comes while the key still runs.

use crate::Alpha;
use crate::binomial::at_least;

/// Ignores estimates over fewer bytes.
const LEAST_BYTES: u32 = 1000;
/// Reports, one a second, before the first warning. Their mean is the first baseline.
const FIRST: u32 = 16;
/// Weight of the newest report in the quick mean, then in the slow one.
const QUICK: f64 = 1.0 / 8.0;
const SLOW: f64 = 1.0 / 1024.0;
/// An estimate that falls below this part of its baseline is a warning, until it rises above the second part.
const FALLEN: f64 = 0.95;
const RISEN: f64 = 0.97;
/// How often a block of a good source fails FIPS 140-2, rounded up.
const FIPS_RATE: f64 = 1.0 / 1000.0;

/// The generators as one report of the key states them: estimates in shannons (bits) over a number of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Generators {
    /// Bytes over which the next three estimates were made.
    pub raw_bytes: u32,
    /// Estimate of the left generator.
    pub left: u32,
    /// Estimate of the right generator.
    pub right: u32,
    /// Estimate of the exclusive-or of both: low if they run alike.
    pub xor: u32,
    /// Bytes of the left stream after debiasing.
    pub debiased_left_bytes: u32,
    /// Estimate over these bytes.
    pub debiased_left: u32,
    /// Bytes of the right stream after debiasing.
    pub debiased_right_bytes: u32,
    /// Estimate over these bytes.
    pub debiased_right: u32,
}

/// The five estimates of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimate {
    /// Left generator.
    Left,
    /// Right generator.
    Right,
    /// Both, exclusive-or.
    Xor,
    /// Left stream, debiased.
    DebiasedLeft,
    /// Right stream, debiased.
    DebiasedRight,
}

impl Estimate {
    const ALL: [Self; 5] = [Self::Left, Self::Right, Self::Xor, Self::DebiasedLeft, Self::DebiasedRight];

    /// Names the estimate for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Left => "the left generator",
            Self::Right => "the right generator",
            Self::Xor => "the two generators together",
            Self::DebiasedLeft => "the left stream after debiasing",
            Self::DebiasedRight => "the right stream after debiasing",
        }
    }
}

/// A figure of the key that is a reason to worry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Warning {
    /// An estimate has fallen, in shannons a byte.
    Falling {
        /// Which estimate.
        estimate: Estimate,
        /// Its usual value.
        usual: f64,
        /// Its value now.
        now: f64,
    },
    /// Too many blocks fail the key's own FIPS tests: a good source fails as many with a probability below alpha.
    FipsFailures {
        /// Blocks that failed.
        failures: u32,
        /// Blocks that the key tested.
        blocks: u32,
    },
}

impl Warning {
    /// Returns whether the other warning has the same subject, perhaps with newer figures.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Falling { estimate: one, .. }, Self::Falling { estimate: other, .. }) => one == other,
            (Self::FipsFailures { .. }, Self::FipsFailures { .. }) => true,
            _ => false,
        }
    }

    /// Says for people what is wrong.
    pub fn words(&self) -> String {
        match self {
            Self::Falling { estimate, usual, now } => {
                let what = estimate.words();
                format!("the key's own estimate for {what} has fallen from {usual:.2} to {now:.2} bits a byte")
            }
            Self::FipsFailures { failures, blocks } => {
                format!("the key says that {failures} of its {blocks} blocks failed FIPS 140-2")
            }
        }
    }
}

/// Judges the reports of one key.
#[derive(Debug, Clone)]
pub struct Firmware {
    alpha: Alpha,
    means: [Means; 5],
    fips: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Means {
    reports: u32,
    quick: f64,
    slow: f64,
    /// The highest slow mean so far, so that a slow fall counts too.
    usual: f64,
    fallen: bool,
}

impl Firmware {
    /// Starts without reports. `alpha` is the false-alarm rate for the key's FIPS counters.
    pub fn new(alpha: Alpha) -> Self {
        Self { alpha, means: [Means::default(); 5], fips: None }
    }

    /// Takes a report about the generators.
    pub fn note_generators(&mut self, report: &Generators) {
        let raw = report.raw_bytes;
        let estimates = [
            (report.left, raw),
            (report.right, raw),
            (report.xor, raw),
            (report.debiased_left, report.debiased_left_bytes),
            (report.debiased_right, report.debiased_right_bytes),
        ];
        for (means, (shannons, bytes)) in self.means.iter_mut().zip(estimates) {
            if bytes >= LEAST_BYTES {
                means.note(f64::from(shannons) / f64::from(bytes));
            }
        }
    }

    /// Takes the key's counts of blocks that it tested and of those that failed, since it last reset them.
    pub fn note_fips(&mut self, blocks: u32, failures: u32) {
        self.fips = is_beyond_chance(blocks, failures, self.alpha).then_some((failures, blocks));
    }

    /// Returns all warnings that hold now.
    pub fn warnings(&self) -> Vec<Warning> {
        let fallen = |(estimate, means): (Estimate, &Means)| {
            let Means { usual, quick, fallen, .. } = *means;
            fallen.then_some(Warning::Falling { estimate, usual, now: quick })
        };
        let falling = Estimate::ALL.into_iter().zip(&self.means).filter_map(fallen);
        falling.chain(self.fips.map(|(failures, blocks)| Warning::FipsFailures { failures, blocks })).collect()
    }
}

impl Means {
    fn note(&mut self, value: f64) {
        self.reports = self.reports.saturating_add(1);
        if self.reports <= FIRST {
            self.slow += (value - self.slow) / f64::from(self.reports);
            (self.quick, self.usual) = (self.slow, self.slow);
            return;
        }
        self.quick += (value - self.quick) * QUICK;
        self.slow += (value - self.slow) * SLOW;
        self.usual = self.usual.max(self.slow);
        let limit = if self.fallen { RISEN } else { FALLEN };
        self.fallen = self.quick < self.usual * limit;
    }
}

/// Returns whether a good source would have this many failures or more with a probability below alpha.
fn is_beyond_chance(blocks: u32, failures: u32, alpha: Alpha) -> bool {
    // The key counts up to 10,000 blocks. A count of more than five digits is an error, not a count.
    failures > 0 && blocks <= 99_999 && at_least(failures.min(blocks), blocks, FIPS_RATE) < alpha.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(shannons: u32) -> Generators {
        let bytes = 10_000;
        Generators {
            raw_bytes: bytes,
            left: shannons,
            right: 29_500,
            xor: 29_400,
            debiased_left_bytes: bytes,
            debiased_left: 29_500,
            debiased_right_bytes: bytes,
            debiased_right: 29_500,
        }
    }

    fn settled() -> Firmware {
        let mut firmware = Firmware::new(Alpha::default());
        (0..100).for_each(|second| firmware.note_generators(&report(29_300 + second % 5 * 100)));
        assert_eq!(firmware.warnings(), []);
        firmware
    }

    #[test]
    fn a_fall_warns_within_seconds_until_it_is_over() {
        let mut firmware = settled();
        let after = (1..).find(|_| {
            firmware.note_generators(&report(26_500));
            !firmware.warnings().is_empty()
        });
        assert_eq!(after, Some(6), "seconds after a fall by a tenth");
        let [Warning::Falling { estimate: Estimate::Left, usual, now }] = firmware.warnings()[..] else {
            panic!("{:?}", firmware.warnings())
        };
        assert!((2.93..2.97).contains(&usual) && now < 2.83, "{usual} {now}");
        (0..30).for_each(|_| firmware.note_generators(&report(29_500)));
        assert_eq!(firmware.warnings(), []);
    }

    #[test]
    fn a_fall_over_a_day_warns() {
        let mut firmware = settled();
        let fall = (0..86_400).find(|second| {
            firmware.note_generators(&report(29_500 - second / 30));
            !firmware.warnings().is_empty()
        });
        assert!(fall.is_some_and(|second| (40_000..50_000).contains(&second)), "{fall:?}");
    }

    #[test]
    fn a_report_over_a_few_bytes_is_ignored() {
        let mut firmware = settled();
        let bytes = LEAST_BYTES - 1;
        let poor =
            Generators { raw_bytes: bytes, debiased_left_bytes: bytes, debiased_right_bytes: bytes, ..report(1) };
        (0..100).for_each(|_| firmware.note_generators(&poor));
        assert_eq!(firmware.warnings(), []);
    }

    #[test]
    fn fips_failures_beyond_chance_warn() {
        for (blocks, failures, expected) in [
            (0, 0, false),
            (10_000, 10, false),
            (7342, 3, false),
            (1000, 20, true),
            (5, 5, true),
            (10_000, 60, true),
            (3, 1, false),
        ] {
            let mut firmware = Firmware::new(Alpha::default());
            firmware.note_fips(blocks, failures);
            assert_eq!(!firmware.warnings().is_empty(), expected, "{failures} of {blocks}");
        }
    }
}
