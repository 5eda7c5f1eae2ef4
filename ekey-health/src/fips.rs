//! The four tests of FIPS 140-2 (4.9.1, change notice 2) on one block of 20,000 bits, the first bit of a byte its highest.

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 2500;

const MONOBIT: std::ops::Range<u32> = 9726..10_275;
/// 2.16 < 16/5000 · sum - 5000 < 46.17, where the sum is that of the squares of the sixteen nibbles' counts.
const POKER: std::ops::RangeInclusive<u64> = 1_563_176..=1_576_928;
/// For runs of length 1 to 5, and of 6 or more.
const RUNS: [std::ops::RangeInclusive<u32>; 6] = [2315..=2685, 1114..=1386, 527..=723, 240..=384, 103..=209, 103..=209];
/// A run of so many bits is too long.
const LONG_RUN: u32 = 26;

/// Runs longer than this are counted with those of this length.
const LONGEST: usize = 6;
/// Bits for each of the six counters that are added up at once.
const LANE: u32 = 10;
/// Bytes after which the lanes are emptied: a nibble begins two runs of a kind at most, so that 256 would fill a lane.
const STRETCH: u32 = 128;

/// For six bits that came before and four new ones: how many of the new ones are the first, the second … the sixth in a row
/// of ones, each number in its lane. Turned over, the same for zeros.
static REACHED: [u64; 1024] = reached();

const fn reached() -> [u64; 1024] {
    let mut table = [0; 1024];
    let mut bits = 0;
    while bits < 1024 {
        let mut new = 0;
        while new < 4 {
            let mut row = 0;
            while new + row < 10 && row <= LONGEST && (bits >> (new + row)) & 1 == 1 {
                row += 1;
            }
            if row >= 1 && row <= LONGEST {
                table[bits] += 1 << (LANE * (row as u32 - 1));
            }
            new += 1;
        }
        bits += 1;
    }
    table
}

/// A block that is being gathered.
#[derive(Debug, Clone)]
pub struct FipsBlock {
    bytes: usize,
    counts: [u16; 256],
    /// The last bytes, the latest lowest.
    before: u32,
    lanes: [u64; 2],
    in_lanes: u32,
    /// How many runs of zeros and of ones have reached each length.
    reached: [[u32; LONGEST]; 2],
    /// Length of a run that has filled a whole byte, or 0.
    run: u32,
    long_run: bool,
}

/// What the tests say of a block. The default is that of a block that passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FipsOutcome {
    /// How many of its bits are ones.
    pub ones: u32,
    /// The number of ones is out of bounds.
    pub monobit: bool,
    /// The sixteen nibbles come too unevenly, or too evenly.
    pub poker: bool,
    /// A number of runs of one length is out of bounds.
    pub runs: bool,
    /// There is a run of 26 bits or more.
    pub long_run: bool,
}

impl FipsOutcome {
    /// Whether the block passes all four.
    pub fn is_good(&self) -> bool {
        !(self.monobit || self.poker || self.runs || self.long_run)
    }
}

impl Default for FipsBlock {
    fn default() -> Self {
        Self {
            bytes: 0,
            counts: [0; 256],
            before: 0,
            lanes: [0; 2],
            in_lanes: 0,
            reached: [[0; LONGEST]; 2],
            run: 0,
            long_run: false,
        }
    }
}

impl FipsBlock {
    /// Takes bytes up to the end of the block. Gives how many it has taken and, where they complete a block, what the tests say
    /// of it; the next byte begins another.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Option<FipsOutcome>) {
        let taken = bytes.len().min(BLOCK_BYTES - self.bytes);
        if self.bytes == 0
            && let Some(first) = bytes.first()
        {
            // As if the other bit had come before, so that the first one begins a run.
            self.before = if *first >= 0x80 { 0 } else { u32::MAX };
        }
        for byte in &bytes[..taken] {
            self.add(*byte);
        }
        self.bytes += taken;
        let outcome = (self.bytes == BLOCK_BYTES).then(|| self.finish());
        (taken, outcome)
    }

    #[inline]
    fn add(&mut self, byte: u8) {
        self.counts[usize::from(byte)] += 1;
        let bits = self.before << 8 | u32::from(byte);
        let (high, low) = ((bits >> 4) as usize & 0x3ff, bits as usize & 0x3ff);
        self.lanes[1] += REACHED[high] + REACHED[low];
        self.lanes[0] += REACHED[high ^ 0x3ff] + REACHED[low ^ 0x3ff];
        self.in_lanes += 1;
        if self.in_lanes == STRETCH {
            self.empty_lanes();
        }
        // A run of 26 bits fills two bytes at least.
        if self.run > 0 || byte == 0 || byte == 0xff {
            self.follow_run(byte);
        }
        self.before = bits;
    }

    fn follow_run(&mut self, byte: u8) {
        let before = self.before as u8;
        if self.run > 0 {
            let leading = if before == 0 { byte.leading_zeros() } else { byte.leading_ones() };
            self.run += leading;
            self.long_run |= self.run >= LONG_RUN;
            if leading == 8 {
                return;
            }
            self.run = 0;
        }
        self.run = match byte {
            0 => 8 + before.trailing_zeros(),
            0xff => 8 + before.trailing_ones(),
            _ => 0,
        };
    }

    fn empty_lanes(&mut self) {
        for (reached, lanes) in self.reached.iter_mut().zip(&mut self.lanes) {
            for (length, reached) in (0..).zip(reached) {
                *reached += (*lanes >> (LANE * length)) as u32 & ((1 << LANE) - 1);
            }
            *lanes = 0;
        }
        self.in_lanes = 0;
    }

    fn finish(&mut self) -> FipsOutcome {
        self.empty_lanes();
        let mut nibbles = [0; 16];
        let mut ones = 0;
        for (byte, count) in (0_u8..=255).zip(self.counts) {
            nibbles[usize::from(byte >> 4)] += u64::from(count);
            nibbles[usize::from(byte & 15)] += u64::from(count);
            ones += u32::from(count) * byte.count_ones();
        }
        let poker: u64 = nibbles.iter().map(|count| count * count).sum();
        let outcome = FipsOutcome {
            ones,
            monobit: !MONOBIT.contains(&ones),
            poker: !POKER.contains(&poker),
            runs: !self.reached.iter().all(runs_are_good),
            long_run: self.long_run,
        };
        *self = Self::default();
        outcome
    }
}

/// Every run that is longer has reached each shorter length too.
fn runs_are_good(reached: &[u32; LONGEST]) -> bool {
    (0..LONGEST).all(|at| {
        let longer = reached.get(at + 1).copied().unwrap_or(0);
        RUNS[at].contains(&(reached[at] - longer))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tests as the standard words them, bit by bit.
    fn slowly(block: &[u8]) -> FipsOutcome {
        let bits: Vec<bool> = block.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1)).collect();
        let ones = bits.iter().filter(|bit| **bit).count() as u32;
        let mut nibbles = [0_f64; 16];
        block.iter().for_each(|byte| {
            nibbles[usize::from(byte >> 4)] += 1.0;
            nibbles[usize::from(byte & 15)] += 1.0;
        });
        let x = 16.0 / 5000.0 * nibbles.iter().map(|count| count * count).sum::<f64>() - 5000.0;
        let mut counts = [[0_u32; 6]; 2];
        let mut longest = 0;
        for run in bits.chunk_by(|a, b| a == b) {
            counts[usize::from(run[0])][run.len().min(6) - 1] += 1;
            longest = longest.max(run.len());
        }
        let out = |counts: &[u32; 6]| counts.iter().zip(&RUNS).any(|(count, bounds)| !bounds.contains(count));
        FipsOutcome {
            ones,
            monobit: !(9725 < ones && ones < 10_275),
            poker: !(2.16 < x && x < 46.17),
            runs: counts.iter().any(out),
            long_run: longest >= 26,
        }
    }

    fn quickly(block: &[u8], piece: usize) -> FipsOutcome {
        let mut gathered = FipsBlock::default();
        let mut outcome = None;
        for mut bytes in block.chunks(piece) {
            while !bytes.is_empty() {
                let (taken, complete) = gathered.feed(bytes);
                bytes = &bytes[taken..];
                outcome = complete.or(outcome);
            }
        }
        outcome.expect("a whole block")
    }

    fn noise(seed: u64) -> impl Iterator<Item = u8> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
    }

    #[test]
    fn a_constant_block_fails_everything() {
        for byte in [0, 0xff] {
            let outcome = quickly(&[byte; BLOCK_BYTES], 2500);
            assert!(outcome.monobit && outcome.poker && outcome.runs && outcome.long_run, "{outcome:?}");
        }
    }

    #[test]
    fn a_run_of_twenty_six_bits_is_too_long_wherever_it_is_and_one_of_twenty_five_is_not() {
        for (length, due) in [(25, false), (26, true)] {
            for at in 0..40 {
                for flip in [0, 0xff] {
                    let mut block = vec![0xaa; BLOCK_BYTES];
                    for bit in at..at + length {
                        block[bit / 8] |= 0x80 >> (bit % 8);
                    }
                    // Ends the run on both sides, whatever the pattern has there.
                    for bit in [at.checked_sub(1), Some(at + length)].into_iter().flatten() {
                        block[bit / 8] &= !(0x80 >> (bit % 8));
                    }
                    block.iter_mut().for_each(|byte| *byte ^= flip);
                    block.extend_from_within(..0);
                    assert_eq!(quickly(&block, 3).long_run, due, "{length} bits at {at}, turned over by {flip}");
                    block.reverse();
                    let mirrored: Vec<u8> = block.iter().map(|byte| byte.reverse_bits()).collect();
                    assert_eq!(quickly(&mirrored, 2500).long_run, due, "{length} bits at {at} from the end");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_counts_as_the_slow_one_does(
            seed in any::<u64>(), mask in any::<u8>(), every in 1_usize..2500, piece in 1_usize..2600,
        ) {
            let block: Vec<u8> = noise(seed)
                .enumerate()
                .map(|(at, byte)| if at % every < every / 2 { byte & mask } else { byte })
                .take(BLOCK_BYTES)
                .collect();
            prop_assert_eq!(quickly(&block, piece), slowly(&block));
        }
    }
}
