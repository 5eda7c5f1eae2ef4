//! Transfers at a key's endpoints, and their outcomes.

use super::descriptors::{BULK_IN, BULK_OUT, INTERRUPT_IN};

/// Why a transfer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The key refuses: it does not know the request, the endpoint is halted, or no configuration is set.
    Stall,
    /// The host cancelled it, or the key was reset or configured meanwhile.
    Cancelled,
    /// The key's packet did not fit the host's buffer, and its end is lost.
    Babble,
    /// More transfers or bytes wait than any host needs.
    TooMuch,
}

/// A bulk transfer from the key.
pub(super) struct Read {
    pub(super) id: u64,
    /// Size of the host's buffer, in bytes.
    pub(super) length: usize,
    pub(super) data: Vec<u8>,
}

/// A bulk transfer to the key.
pub(super) struct Write {
    pub(super) id: u64,
    pub(super) data: Vec<u8>,
    /// Bytes that the key has taken.
    pub(super) taken: usize,
}

/// A completed transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Completed {
    pub(super) id: u64,
    /// The endpoint's address.
    pub(super) endpoint: u8,
    /// Bytes from the key.
    pub(super) data: Vec<u8>,
    /// Number of bytes sent or taken.
    pub(super) length: usize,
    pub(super) failure: Option<Failure>,
}

impl Read {
    pub(super) fn end(self, failure: Option<Failure>) -> Completed {
        let Self { id, data, .. } = self;
        Completed { id, endpoint: BULK_IN, length: data.len(), data, failure }
    }
}

impl Write {
    pub(super) fn end(self, failure: Option<Failure>) -> Completed {
        Completed { id: self.id, endpoint: BULK_OUT, data: Vec::new(), length: self.taken, failure }
    }
}

impl Completed {
    /// Ends a wait for a notification.
    pub(super) const fn interrupt(id: u64, failure: Failure) -> Self {
        Self { id, endpoint: INTERRUPT_IN, data: Vec::new(), length: 0, failure: Some(failure) }
    }
}
