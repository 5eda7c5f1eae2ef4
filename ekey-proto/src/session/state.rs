//! Where a session stands.

use crate::wire::Badness;

/// The states of a session. The two further ones that people see, "recovering" and "gone", belong to whoever holds
/// the link: a session does not outlive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing has been said yet.
    Opening,
    /// `^C` has been sent, no `S!` has come.
    AwaitSerial,
    /// The key has said who it is.
    SerialOk,
    /// A session key is being agreed on, and no frame has been seen under it.
    Keying,
    /// Frames verify under a session key.
    Running,
    /// Nothing verifies after a rekey: the host's long-term key is not the key's. Tried again with growing pauses.
    LongTermKeyBad,
    /// The host has no long-term key for this serial number.
    SerialUnknown,
    /// The key has another serial number than was expected here.
    WrongSerial,
    /// The key has found itself unfit and gives no more entropy.
    SelfStopped(Badness),
    /// Nothing that verifies has come for too long. `^C` is sent now and then; anything stronger is up to the caller.
    Silent,
}
