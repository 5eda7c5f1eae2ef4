//! Runs the four tests of FIPS 140-2 (4.9.1, change notice 2) on blocks of 20,000 bits, the highest bit of a byte first.
//!
//! For each byte, a block steps two counters: one for the byte's value, and one for the border before it, chosen by the two runs
//! of equal bits that touch there. When the block is complete, all tests but that for long runs follow from the counters.

use std::ops::{Range, RangeInclusive};

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 2500;

const MONOBIT: Range<u32> = 9726..10_275;
/// 2.16 < 16/5000 · sum - 5000 < 46.17, where the sum is that of the squares of the sixteen nibbles' counts.
const POKER: RangeInclusive<u64> = 1_563_176..=1_576_928;
/// For runs of length 1 to 5, and of 6 or more.
const RUNS: [RangeInclusive<i32>; LONGEST] = [2315..=2685, 1114..=1386, 527..=723, 240..=384, 103..=209, 103..=209];
/// A run of this many bits is too long.
const LONG_RUN: u32 = 26;

/// The runs test counts longer runs with those of this length.
const LONGEST: usize = 6;

/// From this length on, a run may become too long by bytes that have no two full ones in a row.
const NEARLY_LONG: u32 = LONG_RUN - 7;
/// Bytes between two looks for a long run.
const PIECE: usize = 256;

/// Gathers a block.
#[derive(Debug, Clone)]
pub struct FipsBlock {
    bytes: usize,
    /// How often each byte came.
    counts: [u16; 256],
    /// How often one kind of run touched another at the border of two bytes, at the place that [`border`] gives.
    borders: [u16; 256],
    /// What [`BEFORE`] has for the last byte.
    before: u8,
    long_run: LongRun,
}

/// The verdict of each test on a block. The default is that of a block that passes.
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
    /// The block has a run of 26 bits or more.
    pub long_run: bool,
}

impl FipsOutcome {
    /// Returns whether the block passes all four tests.
    pub fn is_good(&self) -> bool {
        !(self.monobit || self.poker || self.runs || self.long_run)
    }
}

impl Default for FipsBlock {
    fn default() -> Self {
        Self { bytes: 0, counts: [0; 256], borders: [0; 256], before: 0, long_run: LongRun::default() }
    }
}

impl FipsBlock {
    /// Takes bytes up to the end of the block. Returns how many it took and, if they complete the block, the verdict. The next
    /// byte begins another block.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Option<FipsOutcome>) {
        let part = &bytes[..bytes.len().min(BLOCK_BYTES - self.bytes)];
        if self.bytes == 0
            && let Some(first) = part.first()
        {
            // As if a byte that ends with the other bit came before: the block's first run continues none.
            self.before = BEFORE[usize::from(!first >> 7)];
        }
        for piece in part.chunks(PIECE) {
            let full_pairs = self.full_pairs();
            self.count(piece);
            self.long_run.feed(piece, self.full_pairs() > full_pairs);
        }
        self.bytes += part.len();
        let outcome = (self.bytes == BLOCK_BYTES).then(|| self.finish());
        (part.len(), outcome)
    }

    fn count(&mut self, part: &[u8]) {
        // Groups of a fixed size, since such loops are unrolled.
        let (groups, rest) = part.as_chunks::<8>();
        groups.iter().for_each(|group| group.iter().for_each(|byte| self.add(*byte)));
        rest.iter().for_each(|byte| self.add(*byte));
    }

    #[inline]
    fn add(&mut self, byte: u8) {
        let byte = usize::from(byte);
        self.counts[byte] += 1;
        self.borders[usize::from(self.before | AFTER[byte])] += 1;
        self.before = BEFORE[byte];
    }

    /// Returns how often a full byte came after another of the same bit.
    fn full_pairs(&self) -> u16 {
        self.borders[border(0, 8, 8)] + self.borders[border(1, 8, 8)]
    }

    fn finish(&mut self) -> FipsOutcome {
        let nibbles = self.nibbles();
        // The monobit test: the number of ones.
        let ones = (0_u32..).zip(nibbles).map(|(nibble, count)| nibble.count_ones() * u32::from(count)).sum();
        // The poker test: the squares of the nibbles' counts.
        let poker = nibbles.iter().map(|count| u64::from(*count).pow(2)).sum();
        // The runs test: the number of runs of each length, for either bit.
        let runs_are_good = |runs: &[i32]| runs.iter().zip(&RUNS).all(|(count, bounds)| bounds.contains(count));
        let outcome = FipsOutcome {
            ones,
            monobit: !MONOBIT.contains(&ones),
            poker: !POKER.contains(&poker),
            runs: !self.runs(&nibbles).iter().all(|runs| runs_are_good(runs)),
            long_run: self.long_run.found,
        };
        *self = Self::default();
        outcome
    }

    /// Returns how often each nibble came.
    fn nibbles(&self) -> [u16; 16] {
        let (rows, _) = self.counts.as_chunks::<16>();
        std::array::from_fn(|nibble| {
            let high: u16 = rows[nibble].iter().sum();
            let low: u16 = rows.iter().map(|row| row[nibble]).sum();
            high + low
        })
    }

    /// Returns the number of runs of zeros and of ones, by length.
    ///
    /// It first adds up the runs of all nibbles as if each stood alone. Then, for each border of two nibbles or two bytes with
    /// the same bit on both sides, it replaces the two runs that touch by the one that they form. This holds for
    /// a run over several borders too: it has a full byte, so it counts as one of six or more, as does each part of it that a
    /// border joins to the next.
    fn runs(&self, nibbles: &[u16; 16]) -> [[i32; LONGEST]; 2] {
        let mut runs = [[0; LONGEST]; 2];
        // Each nibble by itself.
        for (nibble, count) in (0_u8..).zip(nibbles) {
            let mut begin = 4;
            while begin < 8 {
                let rest = nibble << begin;
                let length = leading(rest).min(8 - begin);
                runs[usize::from(rest >> 7)][place(length)] += i32::from(*count);
                begin += length;
            }
        }
        // The borders between bytes, and those between the nibbles of a byte.
        let mut borders = self.borders;
        for (counts, within) in self.counts.as_chunks::<8>().0.iter().zip(WITHIN.as_chunks::<8>().0) {
            for (count, within) in counts.iter().zip(within) {
                borders[usize::from(*within)] += count;
            }
        }
        // The runs that go on over a border.
        for (bit, runs) in (0..).zip(&mut runs) {
            for before in 1..9 {
                for after in 1..9 {
                    let count = i32::from(borders[border(bit, before, after)]);
                    runs[place(before)] -= count;
                    runs[place(after)] -= count;
                    runs[place(before + after)] += count;
                }
            }
        }
        runs
    }
}

/// The long run test: looks for a run of 26 equal bits.
#[derive(Debug, Clone, Default)]
struct LongRun {
    /// The last bit.
    bit: u8,
    /// How many bits in a row have equalled it.
    length: u32,
    found: bool,
}

impl LongRun {
    /// Takes the next bytes. `full_pair` says whether a full byte among them comes after another of the same bit: each long run
    /// has such a pair, so few bytes need a look.
    fn feed(&mut self, bytes: &[u8], full_pair: bool) {
        match bytes {
            // Without a pair, the run at their end began within the last two bytes.
            [.., one, two] if !full_pair && self.length < NEARLY_LONG => {
                self.length = 0;
                self.follow(*one);
                self.follow(*two);
            }
            _ => bytes.iter().for_each(|byte| self.follow(*byte)),
        }
    }

    fn follow(&mut self, byte: u8) {
        if byte >> 7 != self.bit {
            self.length = 0;
        }
        let leading = leading(byte);
        self.length += leading;
        self.found |= self.length >= LONG_RUN;
        if leading < 8 {
            self.length = trailing(byte);
        }
        self.bit = byte & 1;
    }
}

/// For each byte, the part of [`border`] that the run before the border gives, which this byte ends with.
static BEFORE: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = edge(byte as u8 & 1, trailing(byte as u8)) << 4;
        byte += 1;
    }
    table
};

/// For each byte, the part of [`border`] that the run after the border gives, which this byte begins with.
static AFTER: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = edge(byte as u8 >> 7, leading(byte as u8));
        byte += 1;
    }
    table
};

/// For each byte, the place in [`FipsBlock::borders`] of the border between its two nibbles.
static WITHIN: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (high, low) = (byte as u8 >> 4, (byte as u8) << 4);
        table[byte] = edge(high & 1, min(trailing(high), 4)) << 4 | edge(low >> 7, min(leading(low), 4));
        byte += 1;
    }
    table
};

/// Returns the place in [`FipsBlock::borders`] of a border between two runs of the same bit, from their lengths.
const fn border(bit: u8, before: u32, after: u32) -> usize {
    (edge(bit, before) << 4 | edge(bit, after)) as usize
}

/// Numbers the runs that touch the border of a byte: 16 kinds, from 1 to 8 bits, zeros or ones.
const fn edge(bit: u8, length: u32) -> u8 {
    bit << 3 | (length - 1) as u8
}

/// Returns the place of a run of this length among those that the runs test counts.
const fn place(length: u32) -> usize {
    min(length, LONGEST as u32) as usize - 1
}

/// Returns how many equal bits a byte begins with.
const fn leading(byte: u8) -> u32 {
    if byte >> 7 == 0 { byte.leading_zeros() } else { byte.leading_ones() }
}

/// Returns how many equal bits a byte ends with.
const fn trailing(byte: u8) -> u32 {
    if byte & 1 == 0 { byte.trailing_zeros() } else { byte.trailing_ones() }
}

/// `Ord::min`, which is not yet `const`.
const fn min(a: u32, b: u32) -> u32 {
    if a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::{pieces, streams};
    use proptest::prelude::*;

    /// The tests as the standard words them, bit by bit.
    fn plain(block: &[u8]) -> FipsOutcome {
        let bits = bits(block);
        let ones = bits.iter().filter(|bit| **bit).count() as u32;
        let mut nibbles = [0_f64; 16];
        block.iter().for_each(|byte| {
            nibbles[usize::from(byte >> 4)] += 1.0;
            nibbles[usize::from(byte & 15)] += 1.0;
        });
        let x = 16.0 / 5000.0 * nibbles.iter().map(|count| count * count).sum::<f64>() - 5000.0;
        let longest = bits.chunk_by(|a, b| a == b).map(<[bool]>::len).max();
        let out = |counts: &[i32; 6]| counts.iter().zip(&RUNS).any(|(count, bounds)| !bounds.contains(count));
        FipsOutcome {
            ones,
            monobit: !(9725 < ones && ones < 10_275),
            poker: !(2.16 < x && x < 46.17),
            runs: plain_runs(block).iter().any(out),
            long_run: longest >= Some(26),
        }
    }

    fn plain_runs(bytes: &[u8]) -> [[i32; 6]; 2] {
        let mut counts = [[0; 6]; 2];
        for run in bits(bytes).chunk_by(|a, b| a == b) {
            counts[usize::from(run[0])][run.len().min(6) - 1] += 1;
        }
        counts
    }

    fn bits(bytes: &[u8]) -> Vec<bool> {
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1)).collect()
    }

    fn outcomes<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<FipsOutcome> {
        let mut gathered = FipsBlock::default();
        let mut outcomes = Vec::new();
        for mut bytes in pieces {
            while !bytes.is_empty() {
                let (taken, complete) = gathered.feed(bytes);
                bytes = &bytes[taken..];
                outcomes.extend(complete);
            }
        }
        outcomes
    }

    fn quickly(block: &[u8], piece: usize) -> FipsOutcome {
        let [outcome] = outcomes(block.chunks(piece))[..] else { panic!("one block") };
        outcome
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
    fn bounds_of_monobit_are_those_of_the_standard() {
        for (ones, expected) in [(9725, true), (9726, false), (10_274, false), (10_275, true)] {
            let mut block = [0; BLOCK_BYTES];
            (0..ones).for_each(|bit| block[bit / 8] |= 0x80 >> (bit % 8));
            assert_eq!(quickly(&block, BLOCK_BYTES).monobit, expected, "{ones} ones");
        }
    }

    #[test]
    fn bounds_of_poker_are_those_of_the_standard() {
        for sum in [*POKER.start() - 1, *POKER.start(), *POKER.end(), *POKER.end() + 1] {
            let x = 16.0 / 5000.0 * sum as f64 - 5000.0;
            assert_eq!(POKER.contains(&sum), 2.16 < x && x < 46.17, "{sum} gives {x}");
        }
    }

    #[test]
    fn two_runs_of_bits_do_not_add_up_to_a_long_one() {
        let mut block = [0xaa; BLOCK_BYTES];
        block[..7].copy_from_slice(&[0x03, 0xff, 0xff, 0x55, 0x55, 0xff, 0x55]);
        for (one, two) in (0..9).flat_map(|two| (0..=two).map(move |one| (one, two))) {
            let outcomes = outcomes([&block[..one], &block[one..two], &block[two..]]);
            assert!(outcomes.iter().map(|outcome| outcome.long_run).eq([false]), "cut at {one} and {two}");
        }
    }

    #[test]
    fn a_run_of_26_bits_is_too_long_and_25_is_not() {
        for (length, expected) in [(25, false), (26, true)] {
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
                    assert_eq!(quickly(&block, 3).long_run, expected, "{length} bits at {at}, flipped by {flip}");
                    block.reverse();
                    let mirrored: Vec<u8> = block.iter().map(|byte| byte.reverse_bits()).collect();
                    assert_eq!(quickly(&mirrored, 2500).long_run, expected, "{length} bits at {at} from the end");
                }
            }
        }
    }

    #[test]
    fn a_long_run_is_found_however_it_is_cut() {
        for (length, expected) in [(25, false), (26, true)] {
            for first in 0..24 {
                for flip in [0, 0xff] {
                    let mut block = [0xaa; BLOCK_BYTES];
                    (first..first + length).for_each(|bit| block[bit / 8] |= 0x80 >> (bit % 8));
                    let end = first + length;
                    block[end / 8] &= !(0x80 >> (end % 8));
                    if let Some(before) = first.checked_sub(1) {
                        block[before / 8] &= !(0x80 >> (before % 8));
                    }
                    block.iter_mut().for_each(|byte| *byte ^= flip);
                    for (one, two) in (0..9).flat_map(|two| (0..=two).map(move |one| (one, two))) {
                        let outcomes = outcomes([&block[..one], &block[one..two], &block[two..]]);
                        let found = outcomes.iter().map(|outcome| outcome.long_run);
                        assert!(
                            found.eq([expected]),
                            "{length} bits at {first} cut at {one} and {two}, flipped by {flip}"
                        );
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn masked_blocks_get_the_plain_verdicts(
            seed in any::<u64>(), mask in any::<u8>(), every in 1_usize..2500, piece in 1_usize..2600,
        ) {
            let block: Vec<u8> = noise(seed)
                .enumerate()
                .map(|(at, byte)| if at % every < every / 2 { byte & mask } else { byte })
                .take(BLOCK_BYTES)
                .collect();
            prop_assert_eq!(quickly(&block, piece), plain(&block));
        }

        #[test]
        fn runs_are_counted_as_plainly((stream, sizes) in streams(BLOCK_BYTES - 1)) {
            let mut gathered = FipsBlock::default();
            pieces(&stream, &sizes).for_each(|piece| assert_eq!(gathered.feed(piece), (piece.len(), None)));
            prop_assert_eq!(gathered.runs(&gathered.nibbles()), plain_runs(&stream));
        }

        #[test]
        fn verdicts_are_those_of_the_plain_tests((stream, sizes) in streams(40_000)) {
            let plain: Vec<FipsOutcome> = stream.chunks_exact(BLOCK_BYTES).map(plain).collect();
            prop_assert_eq!(outcomes(pieces(&stream, &sizes)), plain);
        }
    }
}
