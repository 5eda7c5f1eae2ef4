//! What replaces the noise generators: ChaCha20 from a seed, in independent streams.
//!
//! Entropy has its own stream, so the same seed gives the same blocks in the same order, whatever the host does and
//! whichever faults are set.

use ekey_proto::Serial;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::SimError;

/// The 32 bytes that determine all that a software key sends in answer to the same input.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Returns the seed with this number, for tests that must run the same way twice.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Self(bytes)
    }

    /// Draws a seed from the operating system.
    ///
    /// # Errors
    /// [`SimError::System`] if the operating system has no randomness.
    pub fn from_system() -> Result<Self, SimError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| SimError::System {
            action: "take a seed from the operating system",
            advice: "choose one with --seed",
            source: error.into(),
        })?;
        Ok(Self(bytes))
    }

    /// Returns the serial number that follows from the seed.
    #[must_use]
    pub fn serial(&self) -> Serial {
        Serial::from_bytes(self.generator(Stream::Serial).bytes())
    }

    pub(crate) fn generator(&self, stream: Stream) -> Generator {
        let mut rng = ChaCha20Rng::from_seed(self.0);
        rng.set_stream(stream.number());
        Generator(rng)
    }
}

/// What bytes are drawn for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    /// Blocks of entropy.
    Entropy,
    Serial,
    Secrets,
    /// The key's part of `K!` and `L!` answers.
    Answers,
    Information,
    /// The hits of a fault, by the number of its kind, so that one fault does not move the hits of another.
    Fault(u8),
}

impl Stream {
    const fn number(self) -> u64 {
        match self {
            Self::Entropy => 0,
            Self::Serial => 1,
            Self::Secrets => 2,
            Self::Answers => 3,
            Self::Information => 4,
            Self::Fault(kind) => 16 + kind as u64,
        }
    }
}

/// One stream of a seed.
pub(crate) struct Generator(ChaCha20Rng);

impl Generator {
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Returns a copy, which gives the same bytes from here on.
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// Skips what `times` calls of `fill` with `bytes` bytes each would take.
    pub(crate) fn skip(&mut self, times: u64, bytes: usize) {
        let mut scratch = vec![0; bytes];
        (0..times).for_each(|_| self.fill(&mut scratch));
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// Returns a number below `limit`; 0 if `limit` is 0.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        // The high half of the product: nearly even for limits far below 2^32, and without a division.
        ((u64::from(self.0.next_u32()) * u64::from(limit)) >> 32) as u32
    }

    /// Returns a number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_its_bytes() {
        let draw = |number| Seed::from_number(number).generator(Stream::Entropy).bytes::<32>();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert_ne!(Seed::from_number(1).serial(), Seed::from_number(2).serial());
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let seed = Seed::from_number(7);
        let streams = [Stream::Entropy, Stream::Serial, Stream::Secrets, Stream::Answers, Stream::Fault(0)];
        let mut draws = streams.map(|stream| seed.generator(stream).bytes::<16>()).to_vec();
        draws.sort_unstable();
        draws.dedup();
        assert_eq!(draws.len(), streams.len());
    }

    #[test]
    fn numbers_stay_within_their_bounds_and_reach_them() {
        let mut generator = Seed::from_number(3).generator(Stream::Fault(1));
        let draws: Vec<u32> = (0..1000).map(|_| generator.between(3, 7)).collect();
        assert_eq!((draws.iter().min(), draws.iter().max()), (Some(&3), Some(&7)));
    }
}
