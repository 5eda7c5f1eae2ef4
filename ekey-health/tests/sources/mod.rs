//! Makes sources of known quality: a good one, and bad ones from it.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Bytes that a test takes at a time: the most that a key's thread reads at once.
pub(crate) const PIECE: usize = 8192;

/// What is wrong with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Good,
    /// One byte again and again.
    Constant,
    /// This many good bytes, over and over.
    Stuck(usize),
    /// As `Stuck`, but longer than any period that the tests look for.
    Replay(usize),
    /// Each bit is one with a probability of `0.5 + n / 1000`.
    Biased(u32),
    /// The high half of each byte is 0.
    HalfTheBits,
    /// Each bit comes twice.
    BitsTwice,
    /// Each byte comes twice.
    BytesTwice,
}

/// A stream of bytes that depends only on its kind and seed.
pub(crate) struct Source {
    kind: Kind,
    rng: ChaCha20Rng,
    recorded: Vec<u8>,
    at: usize,
}

impl Source {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let length = if let Kind::Stuck(length) | Kind::Replay(length) = kind { length } else { 0 };
        let mut recorded = vec![0; length];
        rng.fill_bytes(&mut recorded);
        Self { kind, rng, recorded, at: 0 }
    }

    /// Fills `bytes` with the next ones.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
        match self.kind {
            Kind::Good => {}
            Kind::Constant => bytes.fill(0x5a),
            Kind::Stuck(_) | Kind::Replay(_) => {
                for byte in bytes {
                    *byte = self.recorded[self.at];
                    self.at = (self.at + 1) % self.recorded.len();
                }
            }
            Kind::Biased(thousandths) => bytes.iter_mut().for_each(|byte| *byte = self.biased(thousandths)),
            Kind::HalfTheBits => bytes.iter_mut().for_each(|byte| *byte &= 0x0f),
            Kind::BitsTwice => {
                for byte in bytes {
                    *byte = (0..4).fold(0, |twice, bit| twice | (((*byte >> bit) & 1) * (3 << (2 * bit))));
                }
            }
            Kind::BytesTwice => bytes.chunks_mut(2).for_each(|pair| pair.fill(pair[0])),
        }
    }

    fn biased(&mut self, thousandths: u32) -> u8 {
        let limit = u16::try_from((500 + thousandths) * 65_536 / 1000).expect("a probability");
        let mut draws = [0; 16];
        self.rng.fill_bytes(&mut draws);
        let ones = draws.as_chunks::<2>().0.iter().map(|draw| u16::from_le_bytes(*draw) < limit);
        ones.fold(0, |byte, one| byte << 1 | u8::from(one))
    }
}

/// Returns every bad source with its name, the most bytes until a test finds it, and the tests of which one must be the first to
/// find it.
pub(crate) fn bad() -> Vec<(&'static str, Kind, u64, &'static [&'static str])> {
    vec![
        ("constant", Kind::Constant, 12, &["repetition-count"]),
        ("stuck at a period of 7 bytes", Kind::Stuck(7), 1_024, &["adaptive-proportion", "period"]),
        ("stuck at a period of 37 bytes", Kind::Stuck(37), 1_024, &["adaptive-proportion", "period", "replay"]),
        ("stuck at a period of 500 bytes", Kind::Stuck(500), 1_600, &["period", "replay"]),
        ("stuck at a period of 2,496 bytes", Kind::Stuck(2_496), 20_000, &["period", "replay"]),
        ("stuck at a period of 16,001 bytes", Kind::Stuck(16_001), 40_000, &["period", "replay"]),
        ("a file of 100,003 bytes, replayed", Kind::Replay(100_003), 120_000, &["replay"]),
        ("a file of 1 MiB, replayed", Kind::Replay(1 << 20), (1 << 20) + 20_000, &["replay"]),
        ("a file of 12 MiB, replayed", Kind::Replay(12 << 20), (12 << 20) + 40_000, &["replay"]),
        ("1 % biased: 50.5 % ones", Kind::Biased(5), 640_000, &["bias", "fips-ratio"]),
        ("51 % ones", Kind::Biased(10), 320_000, &["bias", "fips-ratio"]),
        ("55 % ones", Kind::Biased(50), 20_000, &["fips-ratio", "bias"]),
        ("half the bits: high nibble 0", Kind::HalfTheBits, 2_048, &["adaptive-proportion"]),
        ("half the bits: each bit twice", Kind::BitsTwice, 2_048, &["adaptive-proportion"]),
        ("half the bits: each byte twice", Kind::BytesTwice, 640_000, &["fips-ratio", "repetition-count"]),
    ]
}
