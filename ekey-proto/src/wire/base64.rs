//! The key's "PEM" encoding: base64 with the standard alphabet, and the 12-bit sub-code of binary frames, which is
//! base64 digits too but with the low six bits first.
//!
//! Decoding and encoding run in constant time (they carry long-term keys as well) and accept only the one
//! canonical spelling of a byte string. Source: firmware-notes/protocol.md, "Encoding".

use base64ct::{Base64, Encoding};

/// Text that is not base64, or not of the length that the place calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the base64 of {expected} bytes")]
pub struct InvalidBase64 {
    /// The number of bytes that was due.
    pub expected: usize,
}

/// Decodes `text` into exactly `N` bytes.
///
/// # Errors
/// [`InvalidBase64`] if `text` holds anything but the canonical base64 of `N` bytes.
pub fn decode<const N: usize>(text: &[u8]) -> Result<[u8; N], InvalidBase64> {
    let mut out = [0; N];
    match Base64::decode(text, &mut out) {
        Ok(decoded) if decoded.len() == N => Ok(out),
        _ => Err(InvalidBase64 { expected: N }),
    }
}

/// Encodes `bytes` as base64 with padding into the front of `out`, and returns the length of the text.
///
/// # Panics
/// If `out` is shorter than four characters for each three bytes begun; both lengths are constants of the protocol.
#[must_use]
pub fn encode(bytes: &[u8], out: &mut [u8]) -> usize {
    Base64::encode(bytes, out).expect("the buffer's length is a constant that fits").len()
}

/// A number of 12 bits in two characters, the low six bits first: `MA` is 12, `AB` is 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubCode(u16);

impl SubCode {
    /// Number of characters it takes on the wire.
    pub const LEN: usize = 2;
    /// The largest value: 4095.
    pub const MAX: u16 = 0xfff;

    /// Keeps the low 12 bits of `value`.
    #[must_use]
    pub const fn new(value: u16) -> Self {
        Self(value & Self::MAX)
    }

    /// Reads the two characters, or `None` if one of them is not a base64 digit.
    #[must_use]
    pub fn decode(text: [u8; Self::LEN]) -> Option<Self> {
        let [low, high] = text.map(digit_value);
        Some(Self(u16::from(low?) | u16::from(high?) << 6))
    }

    /// Writes the two characters.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LEN] {
        [self.0 & 0x3f, self.0 >> 6].map(|digit| ALPHABET[usize::from(digit)])
    }

    /// The number, 0 to 4095.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn digit_value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sub_code_has_its_low_six_bits_first() {
        for (text, value) in [(*b"AA", 0), (*b"BA", 1), (*b"MA", 12), (*b"/A", 63), (*b"AB", 64), (*b"//", 4095)] {
            assert_eq!(SubCode::decode(text).map(SubCode::value), Some(value));
            assert_eq!(SubCode::new(value).encode(), text);
        }
    }

    #[test]
    fn a_sub_code_of_other_characters_is_refused() {
        for text in [*b" A", *b"A ", *b"A=", *b"-A", [0xff, b'A']] {
            assert_eq!(SubCode::decode(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_sub_code_survives_the_round_trip() {
        for value in 0..=SubCode::MAX {
            assert_eq!(SubCode::decode(SubCode::new(value).encode()), Some(SubCode(value)));
        }
    }

    #[test]
    fn only_the_canonical_spelling_of_the_right_length_decodes() {
        assert_eq!(decode::<2>(b"AQI="), Ok([1, 2]));
        for wrong in [&b"AQJ="[..], b"AQI", b"AQID", b"AQ==", b"", b"AQI =", b"A-I="] {
            assert_eq!(decode::<2>(wrong), Err(InvalidBase64 { expected: 2 }), "{wrong:?}");
        }
    }
}
