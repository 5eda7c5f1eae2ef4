//! What a host sends to a key: a stream of bytes, without frames.
//!
//! Source: firmware-notes/protocol.md, "Host to key".

use super::base64;
use super::frame::MAC_LEN;

/// The host's contribution to a key derivation: a counter and 8 random bytes, so that it never repeats. Not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; Self::LEN]);

/// A command to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `^C`: resets the key's state machines. The key always accepts it and answers `S!`.
    Reset,
    /// `K`: makes a new session key with this nonce. The key answers `K!`.
    RekeySession(Nonce),
    /// `M`: carries the MAC of the nonce for a long-term rekey. The key answers `M>`.
    UnlockLongTerm([u8; MAC_LEN]),
    /// `L`: makes a new long-term key with this nonce. The key answers `L!` or `l>`.
    RekeyLongTerm(Nonce),
}

/// A command in the bytes of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandBytes {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Nonce {
    /// Length in bytes. The original software uses it, so keys in the field have seen no other.
    pub const LEN: usize = 12;
    const TEXT_LEN: usize = 16;

    /// Joins a counter (little-endian) and random bytes.
    #[must_use]
    pub fn new(counter: u32, random: [u8; 8]) -> Self {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&counter.to_le_bytes());
        bytes[4..].copy_from_slice(&random);
        Self(bytes)
    }

    /// Returns the 12 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl Command {
    /// Returns the bytes to send.
    #[must_use]
    pub fn to_bytes(&self) -> CommandBytes {
        let mut out = CommandBytes { bytes: [0; CommandBytes::CAPACITY], len: 0 };
        match self {
            Self::Reset => out.push(&[0x03]),
            Self::RekeySession(nonce) => out.push_nonce(b'K', nonce),
            Self::UnlockLongTerm(mac) => {
                out.push(b"M");
                out.push(mac);
            }
            Self::RekeyLongTerm(nonce) => out.push_nonce(b'L', nonce),
        }
        out
    }
}

impl CommandBytes {
    const CAPACITY: usize = 2 + Nonce::TEXT_LEN;

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn push_nonce(&mut self, letter: u8, nonce: &Nonce) {
        let mut text = [0; Nonce::TEXT_LEN];
        let len = base64::encode(nonce.as_bytes(), &mut text);
        self.push(&[letter]);
        self.push(&text[..len]);
        self.push(b".");
    }
}

impl AsRef<[u8]> for CommandBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_written_as_the_key_reads_them() {
        let nonce = Nonce::new(0, *b"\x78\x37\x7b\x52\x57\x57\xb4\x94");
        assert_eq!(Command::Reset.to_bytes().as_ref(), b"\x03");
        assert_eq!(Command::RekeySession(nonce).to_bytes().as_ref(), b"KAAAAAHg3e1JXV7SU.");
        assert_eq!(Command::UnlockLongTerm(*b"xM123KgX").to_bytes().as_ref(), b"MxM123KgX");
        assert_eq!(Command::RekeyLongTerm(nonce).to_bytes().as_ref(), b"LAAAAAHg3e1JXV7SU.");
    }
}
