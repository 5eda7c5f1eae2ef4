//! FIPS 140-2 (change notice 2) counted bit by bit, for comparison with other counts: by the standard, and as rngtest 5
//! does it.
//!
//! rngtest errs at the ends of a block. If a block's first bit differs from the last bit of the block before, it takes
//! that for the end of a run of length 0 and books it outside the array of its runs: as a run of six or more ones if
//! the first bit is a one, otherwise as one more nibble of the value 15, which lies before that array. And it books the
//! block's last run with those of the other bit. About one block in ten thousand fails only in rngtest, or passes only
//! there.

/// Bytes of a block.
const BLOCK: usize = 2500;
const RUNS: [(u32, u32); 6] = [(2315, 2685), (1114, 1386), (527, 723), (240, 384), (103, 209), (103, 209)];

/// Which way of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// The standard's.
    Standard,
    /// That of rngtest 5.
    Rngtest,
}

/// Blocks of 20,000 bits, and how many failed each test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fips {
    /// Blocks that passed.
    pub successes: u64,
    /// Blocks that failed any test.
    pub failures: u64,
    /// Blocks that failed the monobit, poker, runs and long-run test.
    pub tests: [u64; 4],
}

/// Counts the whole blocks of `bytes`.
#[must_use]
pub fn count(bytes: &[u8], counting: Counting) -> Fips {
    let mut fips = Fips::default();
    let mut bit_before = false;
    for block in bytes.chunks_exact(BLOCK) {
        let failed = fails(block, counting, bit_before);
        bit_before = block[BLOCK - 1] & 1 == 1;
        let any = failed.contains(&true);
        fips.failures += u64::from(any);
        fips.successes += u64::from(!any);
        for (count, failed) in fips.tests.iter_mut().zip(failed) {
            *count += u64::from(failed);
        }
    }
    fips
}

fn fails(block: &[u8], counting: Counting, bit_before: bool) -> [bool; 4] {
    let bits: Vec<bool> = block.iter().flat_map(|byte| (0..8).rev().map(move |at| (byte >> at) & 1 == 1)).collect();
    let ones = bits.iter().filter(|bit| **bit).count();
    let mut nibbles = [0_u64; 16];
    for byte in block {
        nibbles[usize::from(byte >> 4)] += 1;
        nibbles[usize::from(byte & 15)] += 1;
    }
    let mut runs = [[0_u32; 6]; 2];
    let mut longest = 0;
    for run in bits.chunk_by(|a, b| a == b) {
        runs[usize::from(run[0])][run.len().min(6) - 1] += 1;
        longest = longest.max(run.len());
    }
    if counting == Counting::Rngtest {
        let last = bits.chunk_by(|a, b| a == b).next_back().expect("a block has bits");
        let (value, length) = (usize::from(last[0]), last.len().min(6) - 1);
        runs[value][length] -= 1;
        runs[1 - value][length] += 1;
        match (bits[0], bits[0] == bit_before) {
            (_, true) => {}
            (true, false) => runs[1][5] += 1,
            (false, false) => nibbles[15] += 1,
        }
    }
    let squares = nibbles.iter().map(|count| count * count).sum::<u64>() as f64;
    let poker = 16.0 / 5000.0 * squares - 5000.0;
    let out = |counts: &[u32; 6]| counts.iter().zip(RUNS).any(|(count, (least, most))| *count < least || *count > most);
    [!(9726..10_275).contains(&ones), poker <= 2.16 || poker >= 46.17, runs.iter().any(out), longest >= 26]
}
