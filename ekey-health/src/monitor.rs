//! All tests on one key's stream, and what follows from them: put aside at the first failure, taken back after a run of good
//! blocks.

use crate::{
    AdaptiveProportion, Alarm, Alpha, Bias, FipsBlock, FipsOutcome, FipsRatio, Repeats, RepetitionCount, Test,
};

/// The tests of one stream, and whether it is fit to be used.
#[derive(Debug, Clone)]
pub struct Monitor {
    good_blocks_due: u32,
    position: u64,
    repetition: RepetitionCount,
    proportion: AdaptiveProportion,
    block: FipsBlock,
    ratio: FipsRatio,
    bias: Bias,
    repeats: Repeats,
    tally: [u64; Test::ALL.len()],
    blocks: u64,
    failed_blocks: u64,
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
        Self {
            good_blocks_due: good_blocks,
            position: 0,
            repetition: RepetitionCount::new(alpha),
            proportion: AdaptiveProportion::new(alpha),
            block: FipsBlock::default(),
            ratio: FipsRatio::new(alpha),
            bias: Bias::new(alpha),
            repeats: Repeats::new(),
            tally: [0; Test::ALL.len()],
            blocks: 0,
            failed_blocks: 0,
            aside: None,
        }
    }

    /// Looks at the next bytes of the stream. All of them share one judgement: where a test fails among them, none is used.
    pub fn judge(&mut self, bytes: &[u8]) -> Judgement {
        let failed_before = self.failed_blocks;
        let (blocks_before, was_fit) = (self.blocks, self.aside.is_none());
        let mut alarms = [None; 5];
        alarms[0] = self.repetition.feed(bytes);
        alarms[1] = self.proportion.feed(bytes);
        [alarms[2], alarms[3]] = self.feed_blocks(bytes);
        alarms[4] = self.repeats.feed(bytes);
        self.position += bytes.len() as u64;
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
                let good = if self.failed_blocks > failed_before { 0 } else { self.blocks - blocks_before };
                aside.good_blocks =
                    if self.failed_blocks > failed_before { 0 } else { aside.good_blocks + good as u32 };
                let back = aside.good_blocks >= self.good_blocks_due;
                self.aside.take_if(|_| back).map(|_| Change::TakenBack)
            }
            (None, None) => None,
        };
        Judgement { fit: was_fit && self.aside.is_none(), change }
    }

    fn feed_blocks(&mut self, mut bytes: &[u8]) -> [Option<Alarm>; 2] {
        let mut first = [None; 2];
        let mut position = self.position;
        while !bytes.is_empty() {
            let (taken, complete) = self.block.feed(bytes);
            bytes = &bytes[taken..];
            position += taken as u64;
            if let Some(outcome) = complete {
                let alarms = self.note_block(&outcome, position - 1);
                first = [first[0].or(alarms[0]), first[1].or(alarms[1])];
            }
        }
        first
    }

    fn note_block(&mut self, outcome: &FipsOutcome, at_byte: u64) -> [Option<Alarm>; 2] {
        self.blocks += 1;
        self.failed_blocks += u64::from(!outcome.is_good());
        [self.ratio.note(outcome, at_byte), self.bias.note(outcome, at_byte)]
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
        self.position
    }

    /// How many blocks of 20,000 bits were looked at, and how many failed FIPS 140-2.
    pub fn fips_blocks(&self) -> (u64, u64) {
        (self.blocks, self.failed_blocks)
    }

    /// How often a test has failed; several failures within the bytes of one judgement count once.
    pub fn failures(&self, test: Test) -> u64 {
        self.tally[test.index()]
    }
}
