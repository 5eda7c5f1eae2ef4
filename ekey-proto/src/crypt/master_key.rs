//! The master key on the printed card. People type it in; it only serves to set a new long-term key.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::keys::LongTermKey;
use super::session::mac_text;
use super::skein::{Personalised, Purpose};
use crate::wire::{self, DeviceEntropy, MAC_LEN, Serial};

/// The secret that never changes. Only the key and its card have it.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

/// Text that is not a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMasterKey {
    /// Neither 43 digits of base64 and `=`, nor 44 digits.
    #[error("expected a master key of 44 characters (letters, digits, + / and =), got {0}: compare it with the card")]
    Length(usize),
    /// A character that is not a base64 digit, by its position.
    #[error("character {0} (not counting spaces) cannot be in a master key: compare it with the card")]
    Character(usize),
    /// The check digits do not match: the person mistyped.
    #[error("the master key is mistyped, its check digits do not match: compare it with the card")]
    CheckDigits,
}

impl MasterKey {
    const TEXT_LEN: usize = 44;

    /// Wraps the 32 bytes. The caller wipes its own copy.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads a master key as the card prints it: base64 of 32 bytes, or of 33 with a CRC-8. Skips spaces and line
    /// breaks.
    ///
    /// # Errors
    /// [`InvalidMasterKey`] says what is wrong and never repeats the secret.
    pub fn from_card(text: &[u8]) -> Result<Self, InvalidMasterKey> {
        let mut key = Self([0; 32]);
        key.read_card(text).map(|()| key)
    }

    /// Does the same as [`from_card`](Self::from_card), but replaces this key where it is: moving a key leaves a copy
    /// behind.
    ///
    /// # Errors
    /// [`InvalidMasterKey`]. The key is then of no use.
    pub fn read_card(&mut self, text: &[u8]) -> Result<(), InvalidMasterKey> {
        let mut digits = [0; Self::TEXT_LEN];
        let typed = || text.iter().filter(|byte| !byte.is_ascii_whitespace());
        if let Some(at) = typed().position(|byte| !(byte.is_ascii_alphanumeric() || b"+/=".contains(byte))) {
            return Err(InvalidMasterKey::Character(at + 1));
        }
        let count = typed().count();
        if count != Self::TEXT_LEN {
            return Err(InvalidMasterKey::Length(count));
        }
        digits.iter_mut().zip(typed()).for_each(|(digit, byte)| *digit = *byte);
        let outcome = self.read_digits(&digits);
        digits.zeroize();
        outcome
    }

    /// Computes the MAC of a nonce, which a key requires before a long-term rekey.
    #[must_use]
    pub fn nonce_mac(&self, serial: &Serial, nonce: &[u8]) -> [u8; MAC_LEN] {
        mac_text(&Personalised::new(serial, &self.0, Purpose::Mac), nonce)
    }

    /// Derives the long-term key of an `L` command and its `L!` answer. Source: firmware-notes/skein.md.
    #[must_use]
    pub fn long_term_key(&self, serial: &Serial, device: &DeviceEntropy, nonce: &[u8]) -> LongTermKey {
        let hash = Personalised::new(serial, &self.0, Purpose::LongTermKey);
        LongTermKey::from_bytes(hash.digest(&[&device.bytes, nonce]))
    }

    fn read_digits(&mut self, digits: &[u8; Self::TEXT_LEN]) -> Result<(), InvalidMasterKey> {
        if digits.ends_with(b"=") {
            return wire::decode_into(digits, &mut self.0).map_err(|_| InvalidMasterKey::Length(Self::TEXT_LEN - 1));
        }
        let mut with_check = Zeroizing::new([0; 33]);
        wire::decode_into(digits, &mut with_check).map_err(|_| InvalidMasterKey::Length(Self::TEXT_LEN))?;
        let [bytes @ .., check] = &*with_check;
        if crc8(bytes) != *check {
            return Err(InvalidMasterKey::CheckDigits);
        }
        self.0.copy_from_slice(bytes);
        Ok(())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

/// Computes the CRC-8 with polynomial 0x31, initial value 0xFF, not reflected.
fn crc8(bytes: &[u8]) -> u8 {
    let shift = |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x31 };
    bytes.iter().fold(0xff, |crc, byte| (0..8).fold(crc ^ byte, shift))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypt::test_vectors::{bytes, session};

    const CARD: &str = "/GE7Tf1nNqe9JoyKDnTtDRwEqVn1nddO8odJg/1EP8mh";

    #[test]
    fn a_card_is_read_with_and_without_its_check_digits() {
        let vectors = session();
        let rekey = &vectors["long_term_rekey"];
        for spelling in ["master_key_card_33_bytes", "master_key_plain_32_bytes"] {
            let key = MasterKey::from_card(rekey[spelling].as_str().unwrap().as_bytes()).unwrap();
            assert_eq!(key.0[..], bytes(&rekey["master_key_hex"]), "{spelling}");
        }
        assert_eq!([crc8(&bytes(&rekey["master_key_hex"]))][..], bytes(&rekey["master_key_crc8"]));
    }

    #[test]
    fn spaces_and_line_breaks_are_skipped() {
        let spaced: std::string::String = CARD.chars().flat_map(|digit| [digit, ' ', '\n']).collect();
        assert!(MasterKey::from_card(spaced.as_bytes()).is_ok());
    }

    #[test]
    fn any_one_wrong_digit_is_noticed() {
        for at in 0..CARD.len() {
            let mut typed = CARD.as_bytes().to_vec();
            typed[at] = if typed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(MasterKey::from_card(&typed).err(), Some(InvalidMasterKey::CheckDigits), "digit {at}");
        }
    }

    #[test]
    fn other_text_is_rejected_with_the_reason() {
        assert_eq!(MasterKey::from_card(b"").err(), Some(InvalidMasterKey::Length(0)));
        assert_eq!(MasterKey::from_card(&CARD.as_bytes()[1..]).err(), Some(InvalidMasterKey::Length(43)));
        assert_eq!(MasterKey::from_card(b"ab c!").err(), Some(InvalidMasterKey::Character(4)));

        assert_eq!(MasterKey::from_card(&[b'='; 44]).err(), Some(InvalidMasterKey::Length(43)));
    }

    #[test]
    fn a_master_key_is_not_printed() {
        assert_eq!(std::format!("{:?}", MasterKey([7; 32])), "MasterKey");
    }
}
