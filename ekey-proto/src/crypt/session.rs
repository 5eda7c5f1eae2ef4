//! The cryptography of one session: the MAC that every frame carries and the mask over its entropy.

use subtle::ConstantTimeEq;

use super::entropy::EntropyBlock;
use super::keys::SessionKey;
use super::skein::{self, Keyed, Personalised, Purpose};
use crate::wire::{self, CONTENT_LEN, Frame, MAC_LEN, MaskedEntropy, Packet, PacketError, Serial};

/// MAC and mask under one session key of one key. Checking and unmasking an entropy frame costs four Threefish calls,
/// the least that its 52 characters and 32 bytes allow.
pub struct SessionCrypt {
    mac: Personalised,
    mask: Personalised,
}

/// Something that came out of a frame whose MAC was right. Nothing else can make one.
#[derive(Debug)]
pub struct Verified<T>(T);

/// Why a frame yields no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The MAC is not the one of this session key: damaged, forged, of another session, or the keys differ.
    #[error("the frame's MAC does not match the session key")]
    Mac,
    /// The MAC is right, but the key breaks its own protocol.
    #[error(transparent)]
    Packet(#[from] PacketError),
}

impl SessionCrypt {
    /// Prepares both hashes. Nothing of the session key is kept beside them.
    #[must_use]
    pub fn new(serial: &Serial, key: &SessionKey) -> Self {
        let keyed = Keyed::new(serial, key.as_bytes());
        Self { mac: keyed.personalised(Purpose::Mac), mask: keyed.personalised(Purpose::Mask) }
    }

    /// Checks a frame's MAC in constant time, then reads its packet.
    ///
    /// # Errors
    /// [`FrameError::Mac`] if the frame is not to be believed, [`FrameError::Packet`] if it is but cannot be read.
    pub fn verify(&self, frame: &Frame) -> Result<Verified<Packet>, FrameError> {
        let due = self.mac(frame.content());
        if !bool::from(due.ct_eq(frame.mac())) {
            return Err(FrameError::Mac);
        }
        Ok(Verified(Packet::parse(frame.content())?))
    }

    /// The entropy of a verified packet, or `None` if it is not an entropy packet.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a packet is used up, so that its entropy comes out once")]
    pub fn unmask(&self, packet: Verified<Packet>) -> Option<EntropyBlock> {
        let Verified(Packet::Entropy(masked)) = packet else { return None };
        Some(EntropyBlock::new(self.apply_mask(&masked)))
    }

    /// The MAC of a frame's content, as it stands in the frame. What a key uses to write frames.
    #[must_use]
    pub fn mac(&self, content: &[u8; CONTENT_LEN]) -> [u8; MAC_LEN] {
        mac_text(&self.mac, content)
    }

    /// Masks or unmasks (it is the same) the 32 bytes with the mask of their sequence number.
    #[must_use]
    pub fn apply_mask(&self, entropy: &MaskedEntropy) -> [u8; 32] {
        let mut bytes = self.mask.digest(&[&entropy.sequence.encode()]);
        bytes.iter_mut().zip(entropy.bytes).for_each(|(mask, byte)| *mask ^= byte);
        bytes
    }
}

impl<T> Verified<T> {
    /// What was verified.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// What was verified, without the proof.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Checks an `S!` frame, which names the serial number under which, with the zero session key, its MAC must hold.
///
/// Gives the serial number and the cryptography of the session that has just begun, or `None` if it is no such frame.
/// This proves that the frame is whole and not who sent it: the zero key is no secret.
#[must_use]
pub fn verify_serial(frame: &Frame) -> Option<(Verified<Serial>, SessionCrypt)> {
    if !frame.content().starts_with(b"S!") {
        return None;
    }
    let Ok(Packet::Serial { version: 0, serial }) = Packet::parse(frame.content()) else { return None };
    let crypt = SessionCrypt::new(&serial, &SessionKey::ZERO);
    crypt.verify(frame).ok()?;
    Some((Verified(serial), crypt))
}

/// A MAC as the key writes it: the first 24 and last 24 bits of the chaining value, in base64.
pub(super) fn mac_text(hash: &Personalised, message: &[u8]) -> [u8; MAC_LEN] {
    let full = skein::to_bytes(&hash.chain(&[message]));
    let mut text = [0; MAC_LEN];
    let _ = wire::encode(&[full[0], full[1], full[2], full[29], full[30], full[31]], &mut text);
    text
}
