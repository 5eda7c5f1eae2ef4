//! The faults, and how the command line writes them: `NAME:EVERY`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::names;

/// A kind of fault.
///
/// The kinds up to [`FaultKind::Gap`] hit exactly one pseudo-randomly chosen entropy frame in each run of `every`.
/// Where a hit is impossible (see the kind), it moves to the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FaultKind {
    /// Flips one bit of the 60 characters of content and MAC.
    Flip,
    /// Does not send the frame.
    Drop,
    /// Sends an earlier frame of this session after the frame, or the frame itself twice if it is the first.
    Replay,
    /// Sends a frame of an earlier session after the frame. The key had a session before the first host came.
    OldSession,
    /// Sends 1 to 200 bytes that hold no frame before the frame.
    Noise,
    /// Sends only the first 1 to 63 bytes of the frame.
    Truncate,
    /// Skips 1 to 20 sequence numbers before the frame, but not before the first or the last frame of a session.
    Gap,
    /// Stops the key after `every` entropy frames, until it loses power.
    Badness,
    /// Changes the serial number on every `every`th reset, until the next one: `S!` states another serial number, and
    /// all MACs are made with it.
    WrongSerial,
    /// Derives every `every`th session key from another long-term key.
    LtkMismatch,
    /// Silences the key after every `every` entropy frames, until a `^C` arrives.
    Stall,
    /// Claims as much as a frame can hold, every `every`th second and in every `every`th answer to a rekey:
    /// temperature, counts, the length of the received nonce.
    Boast,
}

/// A fault and how often it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// Once in this many entropy frames, resets or session rekeys.
    pub every: NonZeroU32,
}

/// Text that is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFault {
    /// No fault has this name.
    #[error(
        "`{0}` is not a fault; write NAME:EVERY with one of flip, drop, replay, old-session, noise, truncate, gap, \
         badness, wrong-serial, ltk-mismatch, stall, boast"
    )]
    Name(String),
    /// The number is missing, 0 or malformed.
    #[error("`{0}` does not say how often; write a number of 1 or more after the colon, as in flip:100")]
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
        f.write_str(names::name_of(&Self::NAMES, self))
    }
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let (name, every) = text.split_once(':').unwrap_or((text, ""));
        let kind = names::value_of(&FaultKind::NAMES, name).ok_or_else(|| InvalidFault::Name(name.to_owned()))?;
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
    fn the_error_names_the_wrong_half_of_a_fault() {
        for wrong in ["", "flop:3", "Flip:3", ":3"] {
            assert!(matches!(wrong.parse::<Fault>(), Err(InvalidFault::Name(_))), "{wrong}");
        }
        for wrong in ["flip", "flip:", "flip:0", "flip:-1", "flip:1:2", "flip:99999999999"] {
            assert!(matches!(wrong.parse::<Fault>(), Err(InvalidFault::Every(_))), "{wrong}");
        }
    }
}
