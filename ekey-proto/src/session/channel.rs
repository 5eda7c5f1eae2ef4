//! What host and key have agreed on so far.

use crate::crypt::SessionCrypt;
use crate::wire::Serial;

/// What is agreed with the key: who it is, and the cryptography that its next frame must satisfy.
pub(super) struct Channel {
    pub(super) serial: Serial,
    pub(super) crypt: SessionCrypt,
    pub(super) key: ChannelKey,
}

/// Under what the channel's cryptography stands.
pub(super) enum ChannelKey {
    /// The zero key: frames are whole, but anybody could have made them.
    Zero,
    /// A session key, with the highest sequence number so far; nothing has verified under it yet if `fresh`.
    Session { last_sequence: Option<u16>, fresh: bool },
}
