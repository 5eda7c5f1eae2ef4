//! The six tests of one stream, fed together: what a key's [`Monitor`](crate::Monitor) and a file's
//! [`Examination`](crate::Examination) both go by.

use crate::{AdaptiveProportion, Alarm, Alpha, Bias, FipsBlock, FipsOutcome, FipsRatio, Repeats, RepetitionCount};

/// The tests, and what they have seen.
#[derive(Debug, Clone)]
pub(crate) struct Battery {
    position: u64,
    repetition: RepetitionCount,
    proportion: AdaptiveProportion,
    block: FipsBlock,
    ratio: FipsRatio,
    bias: Bias,
    repeats: Repeats,
    fips: FipsCounts,
}

/// Blocks of 20,000 bits, and how many failed each test of FIPS 140-2.
///
/// A key counts its own blocks by itself (ekey-proto has that type): in 32 bits, without long runs, and it starts over at times.
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

impl Battery {
    /// Begins a stream.
    pub(crate) fn new(alpha: Alpha) -> Self {
        Self {
            position: 0,
            repetition: RepetitionCount::new(alpha),
            proportion: AdaptiveProportion::new(alpha),
            block: FipsBlock::default(),
            ratio: FipsRatio::new(alpha),
            bias: Bias::new(alpha),
            repeats: Repeats::new(),
            fips: FipsCounts::default(),
        }
    }

    /// Takes the next bytes, and gives the first failure among them of each test; period and replay are one here.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> [Option<Alarm>; 5] {
        let repetition = self.repetition.feed(bytes);
        let proportion = self.proportion.feed(bytes);
        let [ratio, bias] = self.feed_blocks(bytes);
        [repetition, proportion, ratio, bias, self.repeats.feed(bytes)]
    }

    fn feed_blocks(&mut self, mut bytes: &[u8]) -> [Option<Alarm>; 2] {
        let mut first = [None; 2];
        while !bytes.is_empty() {
            let (taken, complete) = self.block.feed(bytes);
            bytes = &bytes[taken..];
            self.position += taken as u64;
            let Some(outcome) = complete else { continue };
            self.fips.note(&outcome);
            let at_byte = self.position - 1;
            let alarms = [self.ratio.note(&outcome, at_byte), self.bias.note(&outcome, at_byte)];
            first = [first[0].or(alarms[0]), first[1].or(alarms[1])];
        }
        first
    }

    /// Bytes that were taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.position
    }

    /// The blocks of 20,000 bits that were taken.
    pub(crate) fn fips(&self) -> FipsCounts {
        self.fips
    }
}

impl FipsCounts {
    fn note(&mut self, outcome: &FipsOutcome) {
        self.blocks += 1;
        self.failures += u64::from(!outcome.is_good());
        self.monobit += u64::from(outcome.monobit);
        self.poker += u64::from(outcome.poker);
        self.runs += u64::from(outcome.runs);
        self.long_run += u64::from(outcome.long_run);
    }
}
