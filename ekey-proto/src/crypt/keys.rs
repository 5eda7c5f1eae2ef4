//! The long-term key and the session key.
//!
//! Both wipe themselves when dropped, compare in constant time and never print.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::skein::{Personalised, Purpose};
use crate::wire::{self, DeviceEntropy, InvalidBase64, Serial};

/// The secret that key and host share: in the key's flash and in the host's keyring.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct LongTermKey([u8; 32]);

/// The secret of one session, all zero from a reset until the first rekey.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SessionKey([u8; 32]);

impl LongTermKey {
    /// Length of its base64 in a keyring, in characters.
    pub const TEXT_LEN: usize = 44;

    /// Wraps the 32 bytes. The caller wipes its own copy.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the 44 characters of a keyring line.
    ///
    /// # Errors
    /// [`InvalidBase64`] for anything but the base64 of 32 bytes.
    pub fn from_base64(text: &[u8]) -> Result<Self, InvalidBase64> {
        wire::decode(text).map(Self)
    }

    /// Writes the 44 characters of a keyring line. The caller wipes them.
    #[must_use]
    pub fn to_base64(&self) -> [u8; Self::TEXT_LEN] {
        let mut text = [0; Self::TEXT_LEN];
        let _ = wire::encode(&self.0, &mut text);
        text
    }

    /// Copies the key, for a session. There is no `Clone`, so that no copy happens by accident.
    #[must_use]
    pub const fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// Derives the session key of a `K` command and its `K!` answer. Source: firmware-notes/skein.md.
    #[must_use]
    pub fn session_key(&self, serial: &Serial, device: &DeviceEntropy, nonce: &[u8]) -> SessionKey {
        SessionKey(Personalised::new(serial, &self.0, Purpose::SessionKey).digest(&[&device.bytes, nonce]))
    }
}

impl SessionKey {
    /// The session key from a reset until the first rekey. It is public.
    pub const ZERO: Self = Self([0; 32]);

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for LongTermKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for LongTermKey {}

impl fmt::Debug for LongTermKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LongTermKey")
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_term_key_reads_and_writes_as_in_a_keyring() {
        let text = b"+v1DjWuJ9K3e9zqya37WjBXFBz9U86kXd5FTlm4xg2k=";
        let key = LongTermKey::from_base64(text).unwrap();
        assert_eq!(&key.to_base64(), text);
        assert_eq!(key, key.duplicate());
        assert_ne!(key, LongTermKey::from_bytes([0; 32]));
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(std::format!("{:?} {:?}", LongTermKey([7; 32]), SessionKey([7; 32])), "LongTermKey SessionKey");
    }
}
