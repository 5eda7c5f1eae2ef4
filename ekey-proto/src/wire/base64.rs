//! The key's "PEM" encoding: base64 with the standard alphabet, and the 12-bit sub-code of binary frames, whose two
//! base64 digits have the low six bits first.
//!
//! Decoding accepts only the canonical spelling. [`decode`] and [`encode`] run in constant time, because they carry
//! master keys and long-term keys. [`decode_public`] is faster, for what anyone on the wire can read.
//! Source: firmware-notes/protocol.md, "Encoding".

use base64ct::{Base64, Encoding};

/// Text that is not base64 of the expected length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the base64 of {expected} bytes")]
pub struct InvalidBase64 {
    /// The expected number of bytes.
    pub expected: usize,
}

/// Decodes `text` into exactly `N` bytes, in constant time.
///
/// # Errors
/// [`InvalidBase64`] if `text` holds anything but the canonical base64 of `N` bytes.
pub fn decode<const N: usize>(text: &[u8]) -> Result<[u8; N], InvalidBase64> {
    let mut out = [0; N];
    decode_into(text, &mut out).map(|()| out)
}

/// Does the same as [`decode`], in place: no copy of a secret stays behind.
///
/// # Errors
/// [`InvalidBase64`]; `out` then holds no promised content.
pub(crate) fn decode_into<const N: usize>(text: &[u8], out: &mut [u8; N]) -> Result<(), InvalidBase64> {
    match Base64::decode(text, out) {
        Ok(decoded) if decoded.len() == N => Ok(()),
        _ => Err(InvalidBase64 { expected: N }),
    }
}

/// Decodes `text` into exactly `N` bytes. Its time may depend on the text: pass it public text only.
///
/// # Errors
/// [`InvalidBase64`] if `text` holds anything but the canonical base64 of `N` bytes.
pub(crate) fn decode_public<const N: usize>(text: &[u8]) -> Result<[u8; N], InvalidBase64> {
    let refused = InvalidBase64 { expected: N };
    let padding = (3 - N % 3) % 3;
    if text.len() != 4 * N.div_ceil(3) {
        return Err(refused);
    }
    let mut bytes = [0; N];
    let (groups, end) = text.split_at(4 * (N / 3));
    // Every digit's value together: no digit has the bit of a character that is none.
    let mut seen = 0;
    for (bytes, digits) in bytes.chunks_exact_mut(3).zip(groups.chunks_exact(4)) {
        let group = values([digits[0], digits[1], digits[2], digits[3]], &mut seen);
        bytes.copy_from_slice(&group[1..]);
    }
    if let &[first, second, third, fourth] = end {
        // A pad stands for a digit of 0, and the bits behind the last byte are 0 in the canonical spelling.
        let digits = if padding == 2 { [first, second, b'A', b'A'] } else { [first, second, third, b'A'] };
        let group = values(digits, &mut seen);
        let pads = if padding == 2 { [third, fourth] } else { [b'=', fourth] };
        let left = 3 - padding;
        if pads != *b"==" || group[1 + left..].iter().any(|byte| *byte != 0) {
            return Err(refused);
        }
        bytes[N - left..].copy_from_slice(&group[1..=left]);
    }
    if seen & NO_DIGIT == 0 { Ok(bytes) } else { Err(refused) }
}

/// Returns the 24 bits of four digits, after a zero byte, and adds the digits' values to those `seen`.
#[inline(always)]
fn values(digits: [u8; 4], seen: &mut u8) -> [u8; 4] {
    let [first, second, third, fourth] = digits.map(|digit| VALUES[usize::from(digit)]);
    *seen |= first | second | third | fourth;
    let bits = u32::from(first) << 18 | u32::from(second) << 12 | u32::from(third) << 6 | u32::from(fourth);
    bits.to_be_bytes()
}

/// Encodes `bytes` as padded base64 into the front of `out`, in constant time. Returns the number of characters.
///
/// # Panics
/// Panics if `out` is too short. Callers pass lengths that are constants of the protocol.
#[must_use]
pub fn encode(bytes: &[u8], out: &mut [u8]) -> usize {
    Base64::encode(bytes, out).expect("the buffer's length is a constant that fits").len()
}

/// A 12-bit number in two characters, the low six bits first: `MA` is 12, `AB` is 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubCode(u16);

impl SubCode {
    /// Its length on the wire, in characters.
    pub const LEN: usize = 2;
    /// The largest value: 4095.
    pub const MAX: u16 = 0xfff;

    /// Keeps the low 12 bits of `value`.
    #[must_use]
    pub const fn new(value: u16) -> Self {
        Self(value & Self::MAX)
    }

    /// Reads the two characters. Returns `None` if one of them is not a base64 digit.
    #[must_use]
    pub fn decode(text: [u8; Self::LEN]) -> Option<Self> {
        let [low, high] = text.map(|digit| VALUES[usize::from(digit)]);
        ((low | high) & NO_DIGIT == 0).then(|| Self(u16::from(low) | u16::from(high) << 6))
    }

    /// Writes the two characters.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LEN] {
        [self.0 & 0x3f, self.0 >> 6].map(|digit| ALPHABET[usize::from(digit)])
    }

    /// Returns the number, 0 to 4095.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The entry of [`VALUES`] for a character that is not a base64 digit. No digit has this bit.
const NO_DIGIT: u8 = 0x80;

/// The value of each digit.
static VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};

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
    fn a_sub_code_of_other_characters_is_rejected() {
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
    fn only_the_canonical_spelling_decodes() {
        assert_eq!(decode::<2>(b"AQI="), Ok([1, 2]));
        for wrong in [&b"AQJ="[..], b"AQI", b"AQID", b"AQ==", b"", b"AQI =", b"A-I="] {
            assert_eq!(decode::<2>(wrong), Err(InvalidBase64 { expected: 2 }), "{wrong:?}");
        }
    }

    /// Compares both decoders on `text` for each length of interest.
    fn agree(text: &[u8]) {
        assert_eq!(decode_public::<1>(text), decode::<1>(text), "{text:?}");
        assert_eq!(decode_public::<2>(text), decode::<2>(text), "{text:?}");
        assert_eq!(decode_public::<3>(text), decode::<3>(text), "{text:?}");
        assert_eq!(decode_public::<6>(text), decode::<6>(text), "{text:?}");
        assert_eq!(decode_public::<32>(text), decode::<32>(text), "{text:?}");
    }

    #[test]
    fn both_decoders_agree_on_every_character() {
        for text in [&b"AQ=="[..], b"AQI=", b"AQID", b"AQIDBAUG", b"6XxLwelzehWDH8ofVA7moL76KiQj0ruKmqs9T7ygW/Q="] {
            for at in 0..text.len() {
                for byte in 0..=255 {
                    let mut text = text.to_vec();
                    text[at] = byte;
                    agree(&text);
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "too many texts for an interpreter")]
        fn both_decoders_agree_on_any_text(text in "[A-Za-z0-9+/=]{0,8}|[A-Za-z0-9+/]{43}=") {
            agree(text.as_bytes());
        }
    }
}
