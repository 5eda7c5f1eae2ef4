//! The key's side of a session: the key that signs, and the next sequence number.

use ekey_proto::crypt::SessionKey;
use ekey_proto::wire::{CONTENT_LEN, PacketKind, SubCode};
use ekey_proto::{Frame, Serial, SessionCrypt};

/// A session, from one reset or rekey to the next. After a reset it has the zero key and no sequence numbers.
pub(super) struct Session {
    serial: Serial,
    crypt: SessionCrypt,
    next: u16,
}

/// The value of `next` when all sequence numbers are used up.
const USED_UP: u16 = SubCode::MAX + 1;

impl Session {
    /// Starts after a reset, with the serial number `serial`.
    pub(super) fn reset(serial: Serial) -> Self {
        Self { serial, crypt: SessionCrypt::new(&serial, &SessionKey::ZERO), next: USED_UP }
    }

    /// Starts after a rekey.
    pub(super) fn begin(serial: Serial, key: &SessionKey) -> Self {
        Self { serial, crypt: SessionCrypt::new(&serial, key), next: 0 }
    }

    pub(super) const fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Returns the next sequence number, or `None` if none is left.
    pub(super) const fn next(&self) -> Option<u16> {
        if self.next < USED_UP { Some(self.next) } else { None }
    }

    /// Skips `count` sequence numbers, or all that are left.
    pub(super) fn skip(&mut self, count: u16) {
        self.next = self.next.saturating_add(count).min(USED_UP);
    }

    /// Returns the frame with a block of entropy, under the next sequence number.
    pub(super) fn entropy(&mut self, block: &[u8; 32]) -> Frame {
        let sequence = SubCode::new(self.next);
        self.skip(1);
        let masked = self.crypt.mask(sequence, block);
        self.binary(*b"E!", sequence, &masked)
    }

    pub(super) fn binary(&self, kind: [u8; 2], sub_code: SubCode, payload: &[u8; 32]) -> Frame {
        self.seal(PacketKind(kind).binary_content(sub_code, payload))
    }

    pub(super) fn text(&self, kind: [u8; 2], text: &str) -> Frame {
        self.seal(PacketKind(kind).text_content(text))
    }

    pub(super) fn serial_number(&self) -> Frame {
        self.seal(PacketKind::serial_content(&self.serial))
    }

    fn seal(&self, content: [u8; CONTENT_LEN]) -> Frame {
        Frame::new(content, self.crypt.mac(&content))
    }
}
