//! A key's end of a session: signs any frame under the current key.

use ekey_proto::crypt::SessionKey;
use ekey_proto::wire::{CONTENT_LEN, DeviceEntropy, FRAME_LEN, PacketKind, SubCode};
use ekey_proto::{Frame, LongTermKey, Nonce, Serial, SessionCrypt};

/// A frame on the wire.
pub(crate) type FrameBytes = [u8; FRAME_LEN];

/// Signs frames.
pub(crate) struct Signer {
    pub(crate) serial: Serial,
    crypt: SessionCrypt,
    /// How many session keys it has had.
    pub(crate) sessions: u32,
    /// It has a session key.
    pub(crate) in_session: bool,
    pub(crate) next: u16,
}

impl Signer {
    pub(crate) fn new(serial: Serial) -> Self {
        let crypt = SessionCrypt::new(&serial, &SessionKey::ZERO);
        Self { serial, crypt, sessions: 0, in_session: false, next: 0 }
    }

    /// Resets to this serial number. Returns the frame that states it.
    pub(crate) fn reset(&mut self, serial: Serial) -> FrameBytes {
        self.become_another(serial);
        self.sign(PacketKind::serial_content(&serial))
    }

    /// Takes this serial number without stating it.
    pub(crate) fn become_another(&mut self, serial: Serial) {
        *self = Self { sessions: self.sessions, ..Self::new(serial) };
    }

    /// Returns the answer to a `K`, with this nonce length, and switches to the new session key.
    pub(crate) fn rekey(&mut self, long_term_key: &LongTermKey, nonce: &Nonce, nonce_len: u16) -> FrameBytes {
        let bytes = [self.sessions as u8 ^ 0xde; 32];
        let reply = self.sign(PacketKind(*b"K!").binary_content(SubCode::new(nonce_len), &bytes));
        let device = DeviceEntropy { nonce_len, bytes };
        let key = long_term_key.session_key(&self.serial, &device, nonce.as_bytes());
        self.crypt = SessionCrypt::new(&self.serial, &key);
        self.sessions += 1;
        (self.in_session, self.next) = (true, 0);
        reply
    }

    /// Returns the frame of 32 bytes under a sequence number. `next` follows the highest one used.
    pub(crate) fn entropy(&mut self, sequence: u16, block: &[u8; 32]) -> FrameBytes {
        self.next = self.next.max(sequence.saturating_add(1));
        let sequence = SubCode::new(sequence);
        let masked = self.crypt.mask(sequence, block);
        self.sign(PacketKind(*b"E!").binary_content(sequence, &masked))
    }

    pub(crate) fn text(&self, kind: [u8; 2], text: &str) -> FrameBytes {
        self.sign(PacketKind(kind).text_content(text))
    }

    pub(crate) fn sign(&self, content: [u8; CONTENT_LEN]) -> FrameBytes {
        Frame::new(content, self.crypt.mac(&content)).to_bytes()
    }
}
