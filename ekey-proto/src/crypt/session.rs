//! The cryptography of one session: the MAC of every frame and the mask over entropy.

use subtle::ConstantTimeEq;

use zeroize::Zeroize;

use super::entropy::EntropyBlock;
use super::keys::SessionKey;
use super::skein::{self, Keyed, Personalised, Purpose};
use super::threefish::Words;
use crate::wire::{self, CONTENT_LEN, Frame, MAC_LEN, Packet, PacketError, Serial, SubCode};

/// MAC and mask under one session key. Opening an entropy frame costs four Threefish calls, the minimum for its 52
/// characters and 32 bytes.
pub struct SessionCrypt {
    mac: Personalised,
    mask: Personalised,
}

/// Proof that its content came from a frame with a right MAC. Only this module makes one.
#[derive(Debug)]
pub struct Verified<T>(T);

/// The content of a frame with a right MAC.
#[derive(Debug)]
pub enum Opened {
    /// An `E!` frame: entropy without its mask.
    Entropy {
        /// Sequence number, 0 to 4095.
        sequence: SubCode,
        /// The 32 bytes.
        block: EntropyBlock,
    },
    /// Any other frame.
    Packet(Verified<Packet>),
}

/// Why a frame gives no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The MAC is wrong: the frame is damaged, forged or of another session, or the two ends have different keys.
    #[error("the frame's MAC does not match the session key")]
    Mac,
    /// The MAC is right, but the key breaks the protocol.
    #[error(transparent)]
    Packet(#[from] PacketError),
}

impl SessionCrypt {
    /// Prepares both hashes. Stores nothing else of the session key.
    #[must_use]
    pub fn new(serial: &Serial, key: &SessionKey) -> Self {
        let keyed = Keyed::new(serial, key.as_bytes());
        Self { mac: keyed.personalised(Purpose::Mac), mask: keyed.personalised(Purpose::Mask) }
    }

    /// Checks a frame's MAC in constant time and returns the frame's content.
    ///
    /// Computes the mask of an entropy frame together with the MAC, and wipes it if the MAC is wrong.
    ///
    /// # Errors
    /// [`FrameError::Mac`] if the MAC is wrong, [`FrameError::Packet`] if a verified frame breaks the protocol.
    pub fn open(&self, frame: &Frame) -> Result<Opened, FrameError> {
        // Do not trust it before the MAC is checked.
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

    /// Computes the MAC of a frame's content, in base64. A key writes frames with it.
    #[must_use]
    pub fn mac(&self, content: &[u8; CONTENT_LEN]) -> [u8; MAC_LEN] {
        mac_text(&self.mac, content)
    }

    /// Masks 32 bytes with the mask of their sequence number. A key writes frames with it.
    #[must_use]
    pub fn mask(&self, sequence: SubCode, entropy: &[u8; 32]) -> [u8; 32] {
        *EntropyBlock::unmask(entropy, &self.mask.mask(sequence)).as_bytes()
    }
}

impl<T> Verified<T> {
    /// Returns what was verified.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// Returns what was verified, and drops the proof.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Checks an `S!` frame: its MAC must match the serial number in it under the zero session key.
///
/// Returns the serial number and the cryptography of the session that now begins, `None` for any other frame. This
/// proves that the frame is whole, not who sent it: the zero key is public.
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

/// Compares a computed MAC with a frame's, in constant time.
fn is_mac(computed: &Words, claimed: &[u8; MAC_LEN]) -> bool {
    let Ok(claimed) = wire::decode_public::<6>(claimed) else { return false };
    let number = |[a, b, c, d, e, f]: [u8; 6]| u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    number(mac_bytes(computed)).ct_eq(&number(claimed)).into()
}

/// Computes a MAC in base64, as the key writes it.
pub(super) fn mac_text(hash: &Personalised, message: &[u8]) -> [u8; MAC_LEN] {
    let mut text = [0; MAC_LEN];
    let _ = wire::encode(&mac_bytes(&hash.chain(&[message])), &mut text);
    text
}

/// Returns the first and the last 24 bits of a chaining value.
fn mac_bytes(chain: &Words) -> [u8; 6] {
    let [first, .., last] = chain.map(u64::to_le_bytes);
    [first[0], first[1], first[2], last[5], last[6], last[7]]
}
