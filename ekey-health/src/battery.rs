//! Runs the six tests on one stream, for a key's [`Monitor`](crate::Monitor) and for a file's
//! [`Examination`](crate::Examination).

use crate::{AdaptiveProportion, Alarm, Alpha, Bias, FipsBlock, FipsOutcome, FipsRatio, Repeats, RepetitionCount};

/// Holds the tests and their results so far.
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

/// Counts blocks of 20,000 bits, and those that failed each test of FIPS 140-2.
///
/// A key counts its own blocks too (`FipsCounts` of ekey-proto): in 32 bits, without long runs, and it starts over at times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FipsCounts {
    /// All blocks.
    pub blocks: u64,
    /// Blocks that failed at least one test.
    pub failures: u64,
    /// Blocks that failed the monobit test.
    pub monobit: u64,
    /// Blocks that failed the poker test.
    pub poker: u64,
    /// Blocks that failed the runs test.
    pub runs: u64,
    /// Blocks with a run of 26 bits or more.
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

    /// Takes the next bytes. Returns the first failure of each test among them, where period and replay
    /// count as one test.
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

    /// Returns how many bytes it took.
    pub(crate) fn bytes(&self) -> u64 {
        self.position
    }

    /// Returns the counts of the blocks that it took.
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
