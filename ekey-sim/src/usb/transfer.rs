//! Transfers that wait at a key's endpoints, and what became of them.

use super::descriptors::{BULK_IN, BULK_OUT, INTERRUPT_IN};

/// Why a transfer did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The key refuses: the request makes no sense to it, the endpoint is halted, or no configuration was chosen.
    Stall,
    /// The host took it back, or the key was reset or configured meanwhile.
    Cancelled,
    /// The key's packet was longer than what the host had room for; the rest of it is lost.
    Babble,
    /// More waits than any host needs.
    TooMuch,
}

/// A bulk transfer from the key.
pub(super) struct Read {
    pub(super) id: u64,
    /// Bytes that the host has room for.
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

/// A transfer that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Completed {
    pub(super) id: u64,
    /// The endpoint's address.
    pub(super) endpoint: u8,
    /// What the key has sent.
    pub(super) data: Vec<u8>,
    /// Bytes sent or taken.
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
    /// The end of a wait for a notification.
    pub(super) const fn interrupt(id: u64, failure: Failure) -> Self {
        Self { id, endpoint: INTERRUPT_IN, data: Vec::new(), length: 0, failure: Some(failure) }
    }
}
