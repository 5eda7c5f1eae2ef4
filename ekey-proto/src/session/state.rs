//! The states of a session.

use crate::wire::Badness;

/// The state of a session. People see two more, "recovering" and "gone": the owner of the link adds those, because a
/// session does not outlive its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Neither end has sent anything.
    Opening,
    /// The host sent `^C` and waits for `S!`.
    AwaitSerial,
    /// The key stated its serial number.
    SerialOk,
    /// The host sent `K`; no frame has verified under the new session key yet.
    Keying,
    /// Frames verify under a session key.
    Running,
    /// Nothing verifies after a rekey: the host's long-term key is not the key's. The session retries with growing
    /// pauses.
    LongTermKeyBad,
    /// The host has no long-term key for this serial number.
    SerialUnknown,
    /// The key has another serial number than expected.
    WrongSerial,
    /// The key found itself unfit and gives no more entropy.
    SelfStopped(Badness),
    /// No frame has verified for too long. The session repeats `^C`; the caller decides on anything stronger.
    Silent,
}
