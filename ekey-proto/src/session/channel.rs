//! What host and key have agreed so far.

use crate::crypt::SessionCrypt;
use crate::wire::Serial;

/// The key's serial number, and the cryptography that its next frame must satisfy.
pub(super) struct Channel {
    pub(super) serial: Serial,
    /// `None` after too many frames that did not verify. Until the next `S!`, none is checked: each check is one more guess.
    pub(super) crypt: Option<SessionCrypt>,
    pub(super) key: ChannelKey,
}

/// The session key of the channel's cryptography.
pub(super) enum ChannelKey {
    /// The zero key: a frame that verifies is whole, but anyone could have made it.
    Zero,
    /// A session key, the highest sequence number so far and the blocks that came. `fresh` until the first frame
    /// verifies under it.
    Session { last_sequence: Option<u16>, blocks: u16, fresh: bool },
}
