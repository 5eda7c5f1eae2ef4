//! A bad source: what a key's generators give instead of noise, for a while or for good.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::generator::Generator;
use crate::names;

/// What a bad source gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One byte, repeated.
    Constant,
    /// The same 37 bytes, repeated.
    Stuck,
    /// Bits that are one with a probability of 0.505.
    Biased,
    /// Bytes whose upper half is 0.
    Half,
    /// The key's own earlier bytes from its first block on, repeated.
    Replay,
}

/// A source that is bad from one block on, up to another one if it recovers. A block is 78 frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSource {
    kind: Kind,
    /// The first bad block.
    from: u64,
    /// The first good block after that.
    to: Option<NonZeroU64>,
}

/// Text that is not a bad source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a bad source; use one of constant, stuck, biased, half, replay, with :FROM or :FROM-TO after it \
     (blocks of 78 frames), as in stuck:10-20"
)]
pub struct InvalidSource(String);

const PERIOD: usize = 37;

impl BadSource {
    const NAMES: [(&'static str, Kind); 5] = [
        ("constant", Kind::Constant),
        ("stuck", Kind::Stuck),
        ("biased", Kind::Biased),
        ("half", Kind::Half),
        ("replay", Kind::Replay),
    ];

    /// Replaces the bytes of block number `block` with what this source gives. `fresh` is the generator before its
    /// first byte.
    pub(crate) fn spoil(&self, block: u64, bytes: &mut [u8], fresh: &Generator) {
        let is_over = self.to.is_some_and(|to| block >= to.get());
        let Some(since) = block.checked_sub(self.from).filter(|_| !is_over) else { return };
        match self.kind {
            Kind::Constant => bytes.fill(0x5a),
            Kind::Stuck => {
                let period = fresh.duplicate().bytes::<PERIOD>();
                let at = usize::try_from(since % PERIOD as u64).unwrap_or(0) * bytes.len();
                for (offset, byte) in bytes.iter_mut().enumerate() {
                    *byte = period[(at + offset) % PERIOD];
                }
            }
            Kind::Biased => bias(bytes, block),
            Kind::Half => bytes.iter_mut().for_each(|byte| *byte &= 0x0f),
            Kind::Replay => {
                let mut again = fresh.duplicate();
                again.skip(since % self.from.max(1), bytes.len());
                again.fill(bytes);
            }
        }
    }
}

/// Forces one bit in a hundred to one. Knuth's multiplier spreads the places.
fn bias(bytes: &mut [u8], block: u64) {
    let first = block * bytes.len() as u64 * 8;
    for (bit, at) in (first..).zip(0..bytes.len() * 8) {
        if (bit.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100 == 0 {
            bytes[at / 8] |= 0x80 >> (at % 8);
        }
    }
}

impl FromStr for BadSource {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let parse = || {
            let (name, range) = text.split_once(':').map_or((text, "0"), |(name, range)| (name, range));
            let kind = names::value_of(&Self::NAMES, name)?;
            let (from, to) = match range.split_once('-') {
                Some((from, to)) => (from, Some(to.parse().ok()?)),
                None => (range, None),
            };
            let from = from.parse().ok()?;
            to.is_none_or(|to: NonZeroU64| to.get() > from).then_some(Self { kind, from, to })
        };
        parse().ok_or_else(|| InvalidSource(text.to_owned()))
    }
}

impl fmt::Display for BadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", names::name_of(&Self::NAMES, &self.kind), self.from)?;
        self.to.map_or(Ok(()), |to| write!(f, "-{to}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::generator::Stream;

    const LEN: usize = 78 * 32;

    /// Returns blocks 0 to 9 of a source.
    fn blocks(text: &str) -> Vec<Vec<u8>> {
        let source: BadSource = text.parse().unwrap();
        let fresh = Seed::from_number(1).generator(Stream::Entropy);
        let mut generator = fresh.duplicate();
        (0..10)
            .map(|number| {
                let mut bytes = vec![0; LEN];
                generator.fill(&mut bytes);
                source.spoil(number, &mut bytes, &fresh);
                bytes
            })
            .collect()
    }

    #[test]
    fn a_source_reads_as_it_prints() {
        for text in ["constant:0", "stuck:3", "biased:0-1", "half:5-6", "replay:1000000"] {
            assert_eq!(text.parse::<BadSource>().map(|source| source.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("half".parse::<BadSource>(), "half:0".parse());
        for wrong in ["", "halved", "half:", "half:-", "half:5-5", "half:6-5", "half:0-0", "half:a", "half:1-2-3"] {
            assert!(wrong.parse::<BadSource>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_source_is_bad_only_in_its_range() {
        let good = blocks("constant:100");
        for kind in ["constant", "stuck", "biased", "half", "replay"] {
            let seen = blocks(&format!("{kind}:4-7"));
            let changed: Vec<usize> = (0..10).filter(|number| seen[*number] != good[*number]).collect();
            assert_eq!(changed, [4, 5, 6], "{kind}");
        }
    }

    #[test]
    fn each_kind_is_what_it_says() {
        let good = blocks("constant:100");
        let replayed = blocks("replay:4");
        assert_eq!((&replayed[4..8], &replayed[8..]), (&good[..4], &good[..2]));
        let stuck = blocks("stuck:0").concat();
        assert!(stuck.iter().zip(&stuck[PERIOD..]).all(|(one, other)| one == other), "a period of {PERIOD}");
        assert!(blocks("half:0").concat().iter().all(|byte| *byte < 16));
        let biased = blocks("biased:0").concat();
        let ones: u32 = biased.iter().map(|byte| byte.count_ones()).sum();
        let share = f64::from(ones) / (biased.len() * 8) as f64;
        assert!((0.502..0.508).contains(&share), "{share} ones");
    }
}
