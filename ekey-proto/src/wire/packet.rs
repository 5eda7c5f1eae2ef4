//! Parses the content of a frame. Do not trust it before the frame's MAC is checked.
//!
//! Source: firmware-notes/protocol.md, "Frames".

use core::fmt;

use super::base64::{self, InvalidBase64, SubCode};
use super::frame::CONTENT_LEN;
use super::info::{Info, InfoError};
use super::serial::Serial;

/// One packet of a key.
#[derive(Debug)]
pub enum Packet {
    /// `S!`: the key was reset, and its session key is all zero now.
    Serial {
        /// Protocol version; only 0 exists.
        version: u16,
        /// The key's serial number.
        serial: Serial,
    },
    /// `k>`: a block is ready, but the key has no session key or has used up its sequence numbers.
    NeedSessionKey,
    /// `K!`: answers a session rekey. The new session key applies from the next frame on.
    SessionRekeyed(DeviceEntropy),
    /// `E!`: 32 bytes of entropy, masked.
    Entropy(MaskedEntropy),
    /// `I>`: information about the key's health.
    Info(Info),
    /// `M>`: the key accepted the MAC of a nonce; a long-term rekey may follow.
    LongTermUnlocked,
    /// `L!`: answers a long-term rekey.
    LongTermRekeyed(DeviceEntropy),
    /// `l>`: the key refused the long-term rekey.
    LongTermRefused(Text),
    /// `W>`: the key did not understand a character.
    UnknownInput(Text),
    /// `B>`: the generators went bad; the next `S` information block says why.
    GeneratorsBad(Text),
    /// A type that protocol version 0 does not define.
    Unknown(PacketKind),
}

/// The type and encoding characters of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketKind(pub [u8; 2]);

/// What the key contributes to a key derivation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceEntropy {
    /// Number of nonce bytes that the key says it received.
    pub nonce_len: u16,
    /// The key's contribution.
    pub bytes: [u8; 32],
}

/// 32 bytes of entropy under the session's mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedEntropy {
    /// Sequence number, 0 to 4095. Its two characters select the mask.
    pub sequence: SubCode,
    /// Entropy XOR mask.
    pub bytes: [u8; 32],
}

/// The text of a text frame. Shows anything but printable ASCII as `?`, so that it cannot control a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text([u8; PAYLOAD_LEN]);

/// A packet that breaks the protocol in a well-formed frame: the key is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The sub-code has a character that is not a base64 digit.
    #[error("the key sent a `{0}` packet with an unreadable sub-code")]
    SubCode(PacketKind),
    /// The payload is not base64 of the length that the type requires.
    #[error("the key sent a `{0}` packet whose payload is {1}")]
    Payload(PacketKind, InvalidBase64),
    /// An information block is malformed.
    #[error("the key sent a {0}")]
    Info(#[from] InfoError),
}

const PAYLOAD_LEN: usize = CONTENT_LEN - 2;
const ENTROPY_TEXT_LEN: usize = 44;

impl Packet {
    /// Parses the content of a frame. An unknown type gives [`Packet::Unknown`], not an error.
    ///
    /// # Errors
    /// [`PacketError`] if the content breaks the grammar of its type.
    pub fn parse(content: &[u8; CONTENT_LEN]) -> Result<Self, PacketError> {
        let [letter, encoding, payload @ ..] = content;
        let kind = PacketKind([*letter, *encoding]);
        match &kind.0 {
            b"S!" => {
                let binary = Binary::split(kind, payload)?;
                Ok(Self::Serial { version: binary.sub_code.value(), serial: Serial::from_bytes(binary.decode()?) })
            }
            b"k>" => Ok(Self::NeedSessionKey),
            b"K!" => Binary::split(kind, payload)?.device_entropy().map(Self::SessionRekeyed),
            b"E!" => {
                let binary = Binary::split(kind, payload)?;
                Ok(Self::Entropy(MaskedEntropy { sequence: binary.sub_code, bytes: binary.decode()? }))
            }
            b"I>" => Ok(Self::Info(Info::parse(payload)?)),
            b"M>" => Ok(Self::LongTermUnlocked),
            b"L!" => Binary::split(kind, payload)?.device_entropy().map(Self::LongTermRekeyed),
            b"l>" => Ok(Self::LongTermRefused(Text(*payload))),
            b"W>" => Ok(Self::UnknownInput(Text(*payload))),
            b"B>" => Ok(Self::GeneratorsBad(Text(*payload))),
            _ => Ok(Self::Unknown(kind)),
        }
    }
}

impl PacketKind {
    /// Builds the content of a text frame of this kind. Cuts the text after 50 characters.
    #[must_use]
    pub fn text_content(self, text: &str) -> [u8; CONTENT_LEN] {
        self.content(text.as_bytes(), &[])
    }

    /// Builds the content of a binary frame of this kind.
    #[must_use]
    pub fn binary_content(self, sub_code: SubCode, payload: &[u8; 32]) -> [u8; CONTENT_LEN] {
        let mut text = [0; ENTROPY_TEXT_LEN];
        let len = base64::encode(payload, &mut text);
        self.content(&sub_code.encode(), &text[..len])
    }

    /// Builds the content of an `S!` frame of protocol version 0.
    #[must_use]
    pub fn serial_content(serial: &Serial) -> [u8; CONTENT_LEN] {
        Self(*b"S!").content(&SubCode::new(0).encode(), &serial.to_text())
    }

    fn content(self, front: &[u8], back: &[u8]) -> [u8; CONTENT_LEN] {
        let mut content = [b' '; CONTENT_LEN];
        let characters = self.0.iter().chain(front).chain(back);
        content.iter_mut().zip(characters).for_each(|(slot, character)| *slot = *character);
        content
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_printable(f, &self.0)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_printable(f, self.0.trim_ascii_end())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({self})")
    }
}

/// The two parts of a binary frame's payload.
struct Binary<'a> {
    kind: PacketKind,
    sub_code: SubCode,
    text: &'a [u8],
}

impl<'a> Binary<'a> {
    fn split(kind: PacketKind, payload: &'a [u8; PAYLOAD_LEN]) -> Result<Self, PacketError> {
        let [low, high, text @ ..] = payload;
        let sub_code = SubCode::decode([*low, *high]).ok_or(PacketError::SubCode(kind))?;
        let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        Ok(Self { kind, sub_code, text: &text[..end] })
    }

    fn decode<const N: usize>(&self) -> Result<[u8; N], PacketError> {
        base64::decode_public(self.text).map_err(|error| PacketError::Payload(self.kind, error))
    }

    fn device_entropy(&self) -> Result<DeviceEntropy, PacketError> {
        Ok(DeviceEntropy { nonce_len: self.sub_code.value(), bytes: self.decode()? })
    }
}

fn write_printable(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let printable = |byte: u8| if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '?' };
    bytes.iter().try_for_each(|byte| fmt::Write::write_char(f, printable(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    fn content(text: &str) -> [u8; CONTENT_LEN] {
        format!("{text:52}").as_bytes().try_into().expect("52 characters")
    }

    #[test]
    fn binary_packets_round_trip_to_the_same_characters() {
        let text = content("K!AA6XxLwelzehWDH8ofVA7moL76KiQj0ruKmqs9T7ygW/Q=");
        let Ok(Packet::SessionRekeyed(reply)) = Packet::parse(&text) else { panic!("not a K! packet") };
        assert_eq!(reply.nonce_len, 0);
        assert_eq!(PacketKind(*b"K!").binary_content(SubCode::new(0), &reply.bytes), text);

        let text = content("S!AANwBvBlg3OTBJORFD");
        let Ok(Packet::Serial { version: 0, serial }) = Packet::parse(&text) else { panic!("not an S! packet") };
        assert_eq!(PacketKind::serial_content(&serial), text);
    }

    #[test]
    fn a_malformed_binary_packet_is_named_in_its_error() {
        for (text, kind) in [
            ("E! A6XxLwelzehWDH8ofVA7moL76KiQj0ruKmqs9T7ygW/Q=", "E!"),
            ("K!AA6XxLwelzehWDH8ofVA7moL76KiQj0ruKmqs9T7ygW/Q", "K!"),
            ("S!AANwBvBlg3OTBJORF", "S!"),
            ("L!AA", "L!"),
        ] {
            let error = Packet::parse(&content(text)).expect_err(text).to_string();
            assert!(error.contains(kind), "{error}");
        }
    }

    #[test]
    fn an_unknown_type_parses_as_unknown() {
        let Ok(Packet::Unknown(kind)) = Packet::parse(&content("\x07\u{1b}hello")) else { panic!("not unknown") };
        assert_eq!(kind.to_string(), "??");
    }

    #[test]
    fn text_of_a_key_cannot_control_a_terminal() {
        let packet = Packet::parse(&content("W>\u{1b}[2Jtwo words"));
        let Ok(Packet::UnknownInput(text)) = packet else { panic!("{packet:?}") };
        assert_eq!(text.to_string(), "?[2Jtwo words");
        assert_eq!(format!("{text:?}"), "Text(?[2Jtwo words)");
    }
}
