//! The faults there are, as they are asked for: `NAME:EVERY`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// What goes wrong.
///
/// Of the kinds up to [`FaultKind::Gap`], exactly one pseudo-randomly chosen entropy frame in each run of `every` is
/// hit. Where a hit is impossible (see the kind), the next frame that can be hit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FaultKind {
    /// One bit of the 60 characters of content and MAC is flipped.
    Flip,
    /// The frame is not sent.
    Drop,
    /// An earlier frame of this session is sent again after it; the frame itself if there is no earlier one.
    Replay,
    /// A frame of an earlier session is sent again after it. The key has had a session before the first host came.
    OldSession,
    /// 1 to 200 bytes that hold no frame come before it.
    Noise,
    /// Only its first 1 to 63 bytes are sent.
    Truncate,
    /// 1 to 20 sequence numbers are skipped before it; neither at the first nor at the last frame of a session.
    Gap,
    /// After `every` entropy frames the key stops itself, for good.
    Badness,
    /// Each `every`th time that it is reset, the key takes itself for another one until the next reset: `S!` states
    /// another serial number, and all MACs are made with it.
    WrongSerial,
    /// Each `every`th session key is derived from another long-term key.
    LtkMismatch,
    /// After each `every` entropy frames the key falls silent until a `^C` arrives.
    Stall,
    /// In each `every`th second, and in each `every`th answer to a rekey, the key claims as much of everything as a frame can
    /// say: degrees, counts, the length of the nonce that it was sent.
    Boast,
}

/// A fault and how often it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Once in how many entropy frames, resets or session rekeys.
    pub every: NonZeroU32,
}

/// Text that names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFault {
    /// There is no fault of that name.
    #[error(
        "`{0}` is no fault: it is one of flip, drop, replay, old-session, noise, truncate, gap, badness, wrong-serial, \
         ltk-mismatch, stall, boast, with :EVERY behind it"
    )]
    Name(String),
    /// The number is missing or is none.
    #[error("`{0}` does not say how often: write a number from 1 on behind it, as in flip:100")]
    Every(String),
}

impl FaultKind {
    const NAMES: [(&'static str, Self); 12] = [
        ("flip", Self::Flip),
        ("drop", Self::Drop),
        ("replay", Self::Replay),
        ("old-session", Self::OldSession),
        ("noise", Self::Noise),
        ("truncate", Self::Truncate),
        ("gap", Self::Gap),
        ("badness", Self::Badness),
        ("wrong-serial", Self::WrongSerial),
        ("ltk-mismatch", Self::LtkMismatch),
        ("stall", Self::Stall),
        ("boast", Self::Boast),
    ];
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.into_iter().find(|(_, kind)| kind == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let (name, every) = text.split_once(':').unwrap_or((text, ""));
        let found = FaultKind::NAMES.into_iter().find(|(known, _)| *known == name);
        let (_, kind) = found.ok_or_else(|| InvalidFault::Name(name.to_owned()))?;
        let every = every.parse().map_err(|_| InvalidFault::Every(text.to_owned()))?;
        Ok(Self { kind, every })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_as_it_prints() {
        for (name, kind) in FaultKind::NAMES {
            let text = format!("{name}:17");
            let fault: Fault = text.parse().unwrap();
            assert_eq!((fault.kind, fault.every.get()), (kind, 17));
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn other_text_is_no_fault_and_the_error_says_which_half_is_wrong() {
        for wrong in ["", "flop:3", "Flip:3", ":3"] {
            assert!(matches!(wrong.parse::<Fault>(), Err(InvalidFault::Name(_))), "{wrong}");
        }
        for wrong in ["flip", "flip:", "flip:0", "flip:-1", "flip:1:2", "flip:99999999999"] {
            assert!(matches!(wrong.parse::<Fault>(), Err(InvalidFault::Every(_))), "{wrong}");
        }
    }
}
