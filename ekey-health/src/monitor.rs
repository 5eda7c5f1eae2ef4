//! Runs all tests on one key's stream. The first failure retires the stream, and a run of good blocks readmits it.

use crate::battery::Battery;
use crate::{Alarm, Alpha, Test};

/// Judges one stream, and knows whether it is fit for use.
#[derive(Debug, Clone)]
pub struct Monitor {
    good_blocks_to_readmit: u32,
    battery: Battery,
    tally: [u64; Test::ALL.len()],
    retirement: Option<Retirement>,
}

/// Why a stream is retired, and how close it is to being readmitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retirement {
    /// The failure that retired it.
    pub alarm: Alarm,
    /// Good blocks of 2,500 bytes in a row since the last failure of any kind.
    pub good_blocks: u32,
}

/// The verdict on bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// Whether they are fit for use.
    pub fit: bool,
    /// How the state of the stream changed, if it did.
    pub change: Option<Change>,
}

/// A change of a stream's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A test failed. The stream is retired, from these bytes on.
    Retired(Alarm),
    /// The run of good blocks is complete. The bytes after these are fit for use.
    Readmitted,
}

impl Monitor {
    /// Starts with a stream that is fit. After a failure, `good_blocks` good blocks in a row readmit it: blocks of 2,500 bytes
    /// that pass FIPS 140-2, while all other tests pass too.
    pub fn new(alpha: Alpha, good_blocks: u32) -> Self {
        Self {
            good_blocks_to_readmit: good_blocks,
            battery: Battery::new(alpha),
            tally: [0; Test::ALL.len()],
            retirement: None,
        }
    }

    /// Judges the next bytes of the stream together: if a test fails at one of them, none is fit.
    pub fn judge(&mut self, bytes: &[u8]) -> Judgement {
        let (before, was_fit) = (self.battery.fips(), self.retirement.is_none());
        let alarms = self.battery.feed(bytes);
        let fips = self.battery.fips();
        for alarm in alarms.iter().flatten() {
            self.tally[alarm.test.index()] += 1;
        }
        let first = alarms.into_iter().flatten().min_by_key(|alarm| alarm.at_byte);
        let change = match (&mut self.retirement, first) {
            (None, Some(alarm)) => {
                self.retirement = Some(Retirement { alarm, good_blocks: 0 });
                Some(Change::Retired(alarm))
            }
            (Some(retirement), Some(_)) => {
                retirement.good_blocks = 0;
                None
            }
            (Some(retirement), None) => {
                let good = retirement.good_blocks + (fips.blocks - before.blocks) as u32;
                retirement.good_blocks = if fips.failures > before.failures { 0 } else { good };
                let back = retirement.good_blocks >= self.good_blocks_to_readmit;
                self.retirement.take_if(|_| back).map(|_| Change::Readmitted)
            }
            (None, None) => None,
        };
        Judgement { fit: was_fit && self.retirement.is_none(), change }
    }

    /// Returns why the stream is retired, or `None` if it is in use.
    pub fn retirement(&self) -> Option<&Retirement> {
        self.retirement.as_ref()
    }

    /// Returns how many good blocks in a row readmit a stream.
    pub fn good_blocks_to_readmit(&self) -> u32 {
        self.good_blocks_to_readmit
    }

    /// Returns how many bytes it judged.
    pub fn tested_bytes(&self) -> u64 {
        self.battery.bytes()
    }

    /// Returns how many blocks of 20,000 bits it judged, and how many of them failed FIPS 140-2.
    pub fn fips_blocks(&self) -> (u64, u64) {
        let fips = self.battery.fips();
        (fips.blocks, fips.failures)
    }

    /// Returns how often a test failed. Several failures within the bytes of one judgement count once.
    pub fn failures(&self, test: Test) -> u64 {
        self.tally[test.index()]
    }
}
