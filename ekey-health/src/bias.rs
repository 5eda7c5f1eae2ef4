//! Tests the balance of ones and zeros over many blocks: it finds a bias of one percent, which a single FIPS block does not show.

use crate::fips::{BLOCK_BYTES, FipsOutcome};
use crate::{Alarm, Alpha, Test};

/// Blocks in a window.
pub(crate) const BLOCKS: u32 = 64;

/// Adds up the ones of 64 blocks of 20,000 bits, then starts again.
#[derive(Debug, Clone)]
pub struct Bias {
    cutoff: u64,
    blocks: u32,
    ones: u64,
}

impl Bias {
    /// Starts the test. The cut-off is twice the `t` at which Hoeffding's bound `2 exp(-2 t² / n)` equals alpha: the bound on the
    /// probability that the ones among `n` bits differ by `t` from half of them. Twice, since ones and zeros then differ by 2t.
    /// A good source fails less often than the bound says: once in 2^44 windows for 2^-40.
    pub fn new(alpha: Alpha) -> Self {
        let bits = f64::from(BLOCKS) * BLOCK_BYTES as f64 * 8.0;
        // ln(2 / alpha)
        let logarithm = f64::from(alpha.bits() + 1) * std::f64::consts::LN_2;
        let off = (logarithm * bits / 2.0).sqrt();
        Self { cutoff: 2 * (off as u64 + 1), blocks: 0, ones: 0 }
    }

    /// Returns the lowest difference between the ones and the zeros of a window that is a failure.
    pub fn cutoff(&self) -> u64 {
        self.cutoff
    }

    /// Takes a block that ended with byte `at_byte`. Returns an alarm if it completes a window that fails.
    pub fn note(&mut self, block: &FipsOutcome, at_byte: u64) -> Option<Alarm> {
        self.blocks += 1;
        self.ones += u64::from(block.ones);
        if self.blocks < BLOCKS {
            return None;
        }
        let bytes = u64::from(BLOCKS) * BLOCK_BYTES as u64;
        let observed = (2 * self.ones).abs_diff(8 * bytes);
        (self.blocks, self.ones) = (0, 0);
        let alarm = Alarm { test: Test::Bias, at_byte, observed, cutoff: self.cutoff, suspect: bytes };
        (observed >= self.cutoff).then_some(alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_fails_from_its_cut_off_on() {
        let cutoff = Bias::new(Alpha::default()).cutoff();
        assert_eq!(cutoff, 8530);
        for (difference, fails) in [(0, false), (cutoff - 2, false), (cutoff, true)] {
            for ones in [640_000 + difference / 2, 640_000 - difference / 2] {
                let mut test = Bias::new(Alpha::default());
                let alarms = (0..64).filter_map(|block| {
                    let ones = ones as u32 / 64 + u32::from(block < ones % 64);
                    test.note(&FipsOutcome { ones, ..FipsOutcome::default() }, block)
                });
                let alarms: Vec<Alarm> = alarms.collect();
                assert_eq!(alarms.len(), usize::from(fails), "{ones} ones give {alarms:?}");
                assert!(alarms.iter().all(|alarm| (alarm.at_byte, alarm.observed) == (63, difference)), "{alarms:?}");
            }
        }
    }
}
