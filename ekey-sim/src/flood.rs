//! How a hostile key floods its host: with valid frames, under whatever session key it has, as fast as the host reads.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::names;

/// What a flood consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloodKind {
    /// Its serial number.
    Serial,
    /// Two serial numbers in turn.
    Serials,
    /// That it needs a session key.
    NeedKey,
    /// What a healthy key says of itself.
    Information,
    /// That it is bad, and that it is not, in turn.
    Badness,
    /// That its generators are bad.
    GeneratorsBad,
    /// That it did not understand a character.
    UnknownInput,
    /// That it accepted the MAC of a nonce.
    Unlocked,
    /// That it refused a long-term rekey.
    Refused,
    /// Answers to a session rekey.
    SessionAnswer,
    /// Answers to a long-term rekey.
    LongTermAnswer,
    /// Entropy, always with the same sequence number.
    Entropy,
    /// Frames of a type that no key sends.
    Unknown,
    /// Frames whose content breaks the protocol.
    Malformed,
    /// All of these in turn.
    All,
}

/// A flood: what it consists of, and when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood {
    /// What the key sends.
    pub kind: FloodKind,
    /// Entropy frames that the key sends first, so that it has a session key; `None`: it floods from the start.
    pub after: Option<NonZeroU64>,
}

/// Text that is not a flood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a flood; use one of {names}, with :N after it to begin after N entropy frames", names = FloodKind::names().join(", "))]
pub struct InvalidFlood(String);

impl FloodKind {
    const NAMES: [(&'static str, Self); 15] = [
        ("serial", Self::Serial),
        ("serials", Self::Serials),
        ("need-key", Self::NeedKey),
        ("information", Self::Information),
        ("badness", Self::Badness),
        ("generators-bad", Self::GeneratorsBad),
        ("unknown-input", Self::UnknownInput),
        ("unlocked", Self::Unlocked),
        ("refused", Self::Refused),
        ("session-answer", Self::SessionAnswer),
        ("long-term-answer", Self::LongTermAnswer),
        ("entropy", Self::Entropy),
        ("unknown", Self::Unknown),
        ("malformed", Self::Malformed),
        ("all", Self::All),
    ];

    /// Returns the names of all of them.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::NAMES.map(|(name, _)| name).to_vec()
    }

    /// Returns the kind of the frame with this number, and how many of its kind came before.
    pub(crate) fn at(self, number: usize) -> (Self, usize) {
        // The last name is that of all.
        const OTHERS: usize = FloodKind::NAMES.len() - 1;
        if self == Self::All { (Self::NAMES[number % OTHERS].1, number / OTHERS) } else { (self, number) }
    }
}

impl FromStr for Flood {
    type Err = InvalidFlood;

    fn from_str(text: &str) -> Result<Self, InvalidFlood> {
        let invalid = || InvalidFlood(text.to_owned());
        let (name, after) = match text.split_once(':') {
            Some((name, count)) => (name, Some(count.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let kind = names::value_of(&FloodKind::NAMES, name).ok_or_else(invalid)?;
        Ok(Self { kind, after })
    }
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(names::name_of(&FloodKind::NAMES, &self.kind))?;
        self.after.map_or(Ok(()), |count| write!(f, ":{count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flood_reads_as_it_prints() {
        for name in FloodKind::names() {
            for text in [name.to_owned(), format!("{name}:17")] {
                assert_eq!(text.parse::<Flood>().map(|flood| flood.to_string()), Ok(text));
            }
        }
        for wrong in ["drizzle", "", "serial:", "serial:0", "serial:1:2"] {
            let error = wrong.parse::<Flood>().unwrap_err().to_string();
            assert!(error.contains("generators-bad"), "{error}");
        }
    }
}
