//! One frame: 64 bytes, 52 of them content and 8 a MAC.
//!
//! ```text
//! "* " content(52) mac(8) CR LF
//! ```
//!
//! A `Frame` has the right shape, nothing more. Only the MAC check in `crypt` tells who sent it.

/// Bytes in a frame on the wire.
pub const FRAME_LEN: usize = 64;
/// Bytes of content: type, encoding and 50 characters of payload. The MAC covers them all.
pub const CONTENT_LEN: usize = 52;
/// Characters of the MAC.
pub const MAC_LEN: usize = 8;

pub(super) const START: [u8; 2] = *b"* ";
pub(super) const END: [u8; 2] = *b"\r\n";

const CONTENT_AT: usize = START.len();
const MAC_AT: usize = CONTENT_AT + CONTENT_LEN;
const END_AT: usize = MAC_AT + MAC_LEN;

/// 64 bytes that begin and end like a frame. Not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    content: [u8; CONTENT_LEN],
    mac: [u8; MAC_LEN],
}

impl Frame {
    /// Splits `bytes` into content and MAC. Returns `None` unless they begin with `"* "` and end with CR LF.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; FRAME_LEN]) -> Option<Self> {
        let content = bytes[CONTENT_AT..MAC_AT].try_into().ok()?;
        let mac = bytes[MAC_AT..END_AT].try_into().ok()?;
        (bytes[..CONTENT_AT] == START && bytes[END_AT..] == END).then_some(Self { content, mac })
    }

    /// Builds a frame, as a key does.
    #[must_use]
    pub const fn new(content: [u8; CONTENT_LEN], mac: [u8; MAC_LEN]) -> Self {
        Self { content, mac }
    }

    /// Returns the 64 bytes that go over the wire.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; FRAME_LEN] {
        let mut bytes = [0; FRAME_LEN];
        bytes[..CONTENT_AT].copy_from_slice(&START);
        bytes[CONTENT_AT..MAC_AT].copy_from_slice(&self.content);
        bytes[MAC_AT..END_AT].copy_from_slice(&self.mac);
        bytes[END_AT..].copy_from_slice(&END);
        bytes
    }

    /// Returns what the MAC covers: type, encoding, payload and padding.
    #[must_use]
    pub const fn content(&self) -> &[u8; CONTENT_LEN] {
        &self.content
    }

    /// Returns the MAC that the frame claims, in base64.
    #[must_use]
    pub const fn mac(&self) -> &[u8; MAC_LEN] {
        &self.mac
    }
}
