//! The cryptography of one session: the MAC that every frame carries and the mask over its entropy.

use subtle::ConstantTimeEq;

use zeroize::Zeroize;

use super::entropy::EntropyBlock;
use super::keys::SessionKey;
use super::skein::{self, Keyed, Personalised, Purpose};
use super::threefish::Words;
use crate::wire::{self, CONTENT_LEN, Frame, MAC_LEN, Packet, PacketError, Serial, SubCode};

/// MAC and mask under one session key of one key. Opening an entropy frame costs four Threefish calls, the least that
/// its 52 characters and 32 bytes allow.
pub struct SessionCrypt {
    mac: Personalised,
    mask: Personalised,
}

/// Something that came out of a frame whose MAC was right. Only this module makes one.
#[derive(Debug)]
pub struct Verified<T>(T);

/// What a frame held, its MAC checked.
#[derive(Debug)]
pub enum Opened {
    /// An `E!` frame: entropy, its mask taken off.
    Entropy {
        /// Sequence number, 0 to 4095.
        sequence: SubCode,
        /// The 32 bytes.
        block: EntropyBlock,
    },
    /// Any other frame.
    Packet(Verified<Packet>),
}

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
    /// Prepares both hashes. Keeps nothing else of the session key.
    #[must_use]
    pub fn new(serial: &Serial, key: &SessionKey) -> Self {
        let keyed = Keyed::new(serial, key.as_bytes());
        Self { mac: keyed.personalised(Purpose::Mac), mask: keyed.personalised(Purpose::Mask) }
    }

    /// Checks a frame's MAC in constant time and gives what the frame holds.
    ///
    /// An entropy frame's mask is computed together with its MAC, and wiped if the MAC is wrong.
    ///
    /// # Errors
    /// [`FrameError::Mac`] if the frame cannot be trusted, [`FrameError::Packet`] if it can but breaks the protocol.
    pub fn open(&self, frame: &Frame) -> Result<Opened, FrameError> {
        // Not trusted before the MAC is checked.
        let packet = Packet::parse(frame.content());
        let Ok(Packet::Entropy(masked)) = packet else {
            let mac = self.mac.chain(&[frame.content()]);
            return if is_mac(&mac, frame.mac()) {
                Ok(Opened::Packet(Verified(packet?)))
            } else {
                Err(FrameError::Mac)
            };
        };
        let (mac, mut mask) = skein::mac_and_mask(&self.mac, frame.content(), &self.mask, masked.sequence);
        let opened = is_mac(&mac, frame.mac())
            .then(|| Opened::Entropy { sequence: masked.sequence, block: EntropyBlock::unmask(&masked.bytes, &mask) });
        mask.zeroize();
        opened.ok_or(FrameError::Mac)
    }

    /// The MAC of a frame's content, as it stands in the frame. What a key uses to write frames.
    #[must_use]
    pub fn mac(&self, content: &[u8; CONTENT_LEN]) -> [u8; MAC_LEN] {
        mac_text(&self.mac, content)
    }

    /// Masks 32 bytes with the mask of their sequence number. What a key uses to write frames.
    #[must_use]
    pub fn mask(&self, sequence: SubCode, entropy: &[u8; 32]) -> [u8; 32] {
        *EntropyBlock::unmask(entropy, &self.mask.mask(sequence)).as_bytes()
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
    crypt.open(frame).ok()?;
    Some((Verified(serial), crypt))
}

/// Compares a computed MAC with the one that a frame claims, in constant time.
fn is_mac(computed: &Words, claimed: &[u8; MAC_LEN]) -> bool {
    let Ok(claimed) = wire::decode_public::<6>(claimed) else { return false };
    mac_bytes(computed).ct_eq(&claimed).into()
}

/// A MAC as the key writes it, in base64.
pub(super) fn mac_text(hash: &Personalised, message: &[u8]) -> [u8; MAC_LEN] {
    let mut text = [0; MAC_LEN];
    let _ = wire::encode(&mac_bytes(&hash.chain(&[message])), &mut text);
    text
}

/// The first and the last 24 bits of a chaining value.
fn mac_bytes(chain: &Words) -> [u8; 6] {
    let [first, .., last] = chain.map(u64::to_le_bytes);
    [first[0], first[1], first[2], last[5], last[6], last[7]]
}
