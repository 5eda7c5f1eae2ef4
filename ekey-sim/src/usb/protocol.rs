//! The protocol between a key and the host's side of its bus.

use std::time::Duration;

use super::key::UsbKey;
use super::transfer::Completed;

/// A bus of messages: bytes from the host in, bytes for the host out, the key in between.
pub(super) trait Protocol {
    /// Starts again for a new host.
    fn connected(&mut self);

    /// Records that the key was plugged in (true) or unplugged.
    fn plugged(&mut self, plugged: bool);

    /// Handles bytes from the host, in pieces of any size.
    ///
    /// # Errors
    /// [`Violation`] if the host breaks the protocol. Nothing after that can be parsed.
    fn receive(&mut self, now: Duration, bytes: &[u8], key: &mut UsbKey) -> Result<(), Violation>;

    /// Reports a completed transfer to the host.
    fn complete(&mut self, completed: &Completed);

    /// Returns the bytes that wait to be sent to the host. The sender removes from the front what it has sent.
    fn outgoing(&mut self) -> &mut Vec<u8>;
}

/// How a host has broken the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A message is longer than its kind can be.
    #[error("a message of kind {kind} that announces {length} bytes, too many for its kind")]
    TooLong {
        /// The message's kind.
        kind: u32,
        /// Its length, in bytes.
        length: u64,
    },
    /// A message has a length that does not fit its kind or its content.
    #[error("a message of kind {kind} with {length} bytes, which does not fit its content")]
    WrongLength {
        /// The message's kind.
        kind: u32,
        /// Its length, in bytes.
        length: usize,
    },
    /// A kind of message does not exist or was not agreed on.
    #[error("a message of kind {kind}, which was not agreed on")]
    Unknown {
        /// The message's kind.
        kind: u32,
    },
    /// A message came before the greeting, or a second greeting came.
    #[error("a message of kind {kind} before the greeting, or a second greeting")]
    OutOfOrder {
        /// The message's kind.
        kind: u32,
    },
}
