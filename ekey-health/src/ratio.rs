//! Judges FIPS 140-2 as the key does: a single block may fail, too many may not.

use crate::binomial::critical;
use crate::fips::FipsOutcome;
use crate::{Alarm, Alpha, BLOCK_BYTES, Test};

/// Blocks in the window.
const WINDOW: u32 = 64;
/// How often a block of a good source fails, rounded up. All bounds together fail about one in 1,250.
const P: f64 = 1.0 / 1000.0;

/// Remembers which of the last 64 blocks failed.
#[derive(Debug, Clone)]
pub struct FipsRatio {
    cutoff: u32,
    failed: u64,
}

impl FipsRatio {
    /// Starts the test. The cut-off is `1 + CRITBINOM(64, 1/1000, 1 - alpha)`: 7 for 2^-40. The window moves block by block and
    /// fails only at a block that fails itself, so the probability is at most alpha a block.
    pub fn new(alpha: Alpha) -> Self {
        Self { cutoff: 1 + critical(WINDOW, P, alpha), failed: 0 }
    }

    /// Returns how many failed blocks of 64 are a failure.
    pub fn cutoff(&self) -> u64 {
        u64::from(self.cutoff)
    }

    /// Takes a block that ended with byte `at_byte`. Returns an alarm if it is one failure too many.
    pub fn note(&mut self, block: &FipsOutcome, at_byte: u64) -> Option<Alarm> {
        let fails = !block.is_good();
        let suspect = u64::from(WINDOW - self.failed.leading_zeros()).saturating_add(1) * BLOCK_BYTES as u64;
        self.failed = self.failed << 1 | u64::from(fails);
        let observed = self.failed.count_ones();
        let (test, cutoff) = (Test::FipsRatio, self.cutoff());
        let alarm = Alarm { test, at_byte, observed: u64::from(observed), cutoff, suspect };
        (fails && observed >= self.cutoff).then_some(alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_failures_in_64_blocks_are_too_many() {
        let good = FipsOutcome::default();
        let bad = FipsOutcome { long_run: true, ..good };
        let alarms = |every: u64| -> Vec<u64> {
            let mut test = FipsRatio::new(Alpha::default());
            let block = |number: u64| if number.is_multiple_of(every) { &bad } else { &good };
            (1..200).filter_map(|number| test.note(block(number), number)).map(|alarm| alarm.at_byte).collect()
        };
        assert_eq!(alarms(1).first(), Some(&7));
        assert_eq!(alarms(10).first(), Some(&70));
        assert_eq!(alarms(11), [], "six within any 64");
    }
}
