//! All tests on one key's stream, and what follows from them: put aside at the first failure, taken back after a run of good
//! blocks.

use crate::battery::Battery;
use crate::{Alarm, Alpha, Test};

/// The tests of one stream, and whether it is fit to be used.
#[derive(Debug, Clone)]
pub struct Monitor {
    good_blocks_due: u32,
    battery: Battery,
    tally: [u64; Test::ALL.len()],
    aside: Option<Aside>,
}

/// Why a stream is put aside, and how far it is on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aside {
    /// The failure that put it aside.
    pub alarm: Alarm,
    /// Good blocks of 2,500 bytes in a row since the last failure of any kind.
    pub good_blocks: u32,
}

/// What is to be done with bytes that were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// Whether they may be used.
    pub fit: bool,
    /// Whether that is another answer than before.
    pub change: Option<Change>,
}

/// A turn for the worse or the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A test has failed: from these bytes on the stream is put aside.
    PutAside(Alarm),
    /// The run of good blocks is complete: what comes after these bytes may be used.
    TakenBack,
}

impl Monitor {
    /// Begins with a stream that is fit. Once put aside it is taken back after `good_blocks` good blocks in a row: blocks of
    /// 2,500 bytes that pass FIPS 140-2, while no other test fails either.
    pub fn new(alpha: Alpha, good_blocks: u32) -> Self {
        Self { good_blocks_due: good_blocks, battery: Battery::new(alpha), tally: [0; Test::ALL.len()], aside: None }
    }

    /// Looks at the next bytes of the stream. All of them share one judgement: where a test fails among them, none is used.
    pub fn judge(&mut self, bytes: &[u8]) -> Judgement {
        let (before, was_fit) = (self.battery.fips(), self.aside.is_none());
        let alarms = self.battery.feed(bytes);
        let fips = self.battery.fips();
        for alarm in alarms.iter().flatten() {
            self.tally[alarm.test.index()] += 1;
        }
        let first = alarms.into_iter().flatten().min_by_key(|alarm| alarm.at_byte);
        let change = match (&mut self.aside, first) {
            (None, Some(alarm)) => {
                self.aside = Some(Aside { alarm, good_blocks: 0 });
                Some(Change::PutAside(alarm))
            }
            (Some(aside), Some(_)) => {
                aside.good_blocks = 0;
                None
            }
            (Some(aside), None) => {
                let good = aside.good_blocks + (fips.blocks - before.blocks) as u32;
                aside.good_blocks = if fips.failures > before.failures { 0 } else { good };
                let back = aside.good_blocks >= self.good_blocks_due;
                self.aside.take_if(|_| back).map(|_| Change::TakenBack)
            }
            (None, None) => None,
        };
        Judgement { fit: was_fit && self.aside.is_none(), change }
    }

    /// Why the stream is put aside, if it is.
    pub fn aside(&self) -> Option<&Aside> {
        self.aside.as_ref()
    }

    /// How many good blocks in a row are due before the stream is taken back.
    pub fn good_blocks_due(&self) -> u32 {
        self.good_blocks_due
    }

    /// Bytes that were looked at.
    pub fn tested_bytes(&self) -> u64 {
        self.battery.bytes()
    }

    /// How many blocks of 20,000 bits were looked at, and how many failed FIPS 140-2.
    pub fn fips_blocks(&self) -> (u64, u64) {
        let fips = self.battery.fips();
        (fips.blocks, fips.failures)
    }

    /// How often a test has failed; several failures within the bytes of one judgement count once.
    pub fn failures(&self, test: Test) -> u64 {
        self.tally[test.index()]
    }
}
