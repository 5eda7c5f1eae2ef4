//! What a protocol between a key and its host's side of the bus has to do.

use std::time::Duration;

use super::key::UsbKey;
use super::transfer::Completed;

/// A bus in messages: bytes of the host in, bytes for the host out, and between them the key.
pub(super) trait Protocol {
    /// A host has come, who knows nothing of the one before.
    fn connected(&mut self);

    /// The key was plugged in (true) or pulled out.
    fn plugged(&mut self, plugged: bool);

    /// Takes what the host has sent, in pieces of any size, and lets the key have it.
    ///
    /// # Errors
    /// [`Violation`] if the host does not keep to the protocol; then the rest of what it says cannot be understood.
    fn receive(&mut self, now: Duration, bytes: &[u8], key: &mut UsbKey) -> Result<(), Violation>;

    /// Reports a transfer that is done.
    fn complete(&mut self, completed: &Completed);

    /// The bytes for the host that it has not been sent yet; whoever sends them takes them off the front.
    fn outgoing(&mut self) -> &mut Vec<u8>;
}

/// What a host did against its protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    /// A message that is longer than any of its kind can be.
    #[error("a message of kind {kind} announces {length} bytes")]
    TooLong {
        /// The message's kind.
        kind: u32,
        /// Its length, in bytes.
        length: u64,
    },
    /// A message whose length does not fit its kind or what it says.
    #[error("a message of kind {kind} has {length} bytes, which does not fit it")]
    WrongLength {
        /// The message's kind.
        kind: u32,
        /// Its length, in bytes.
        length: usize,
    },
    /// A message that does not exist, or that nobody has offered to understand.
    #[error("a message of kind {kind}, which was not agreed upon")]
    Unknown {
        /// The message's kind.
        kind: u32,
    },
    /// Something else came before the greeting, or a second greeting.
    #[error("a message of kind {kind} where a greeting is due, or a greeting where none is")]
    OutOfOrder {
        /// The message's kind.
        kind: u32,
    },
}
