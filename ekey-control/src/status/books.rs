//! The books: counts that say what became of every byte.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What became of a key's verified bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBooks {
    /// All of them.
    pub verified_bytes: u64,
    /// Proven, and not tested yet.
    pub gathered_bytes: u64,
    /// Handed on to the pool.
    pub handed_bytes: u64,
    /// Handed on only to be mixed into the kernel without credit, because the key failed a health test.
    pub put_aside_bytes: u64,
    /// Wiped, because the daemon had stopped taking them.
    pub dropped_bytes: u64,
}

/// What became of the bytes that came from EGD servers of other machines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedBooks {
    /// Held back until the server's first block has passed the health tests.
    pub held_back_bytes: u64,
    /// Handed on to the pool.
    pub handed_bytes: u64,
    /// Handed on only to be mixed into the kernel without credit, because they failed a health test.
    pub put_aside_bytes: u64,
}

/// The counts that no other part of the status has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Keys that are not driven any more, together.
    pub departed_keys: KeyBooks,
    /// Bytes that may be between keys and pool at most.
    pub most_on_the_way_bytes: u64,
    /// Bytes that the pool received from another machine's EGD server.
    pub fetched_bytes: u64,
    /// Bytes of keys that failed a health test, mixed into the kernel without credit.
    pub aside_mixed_bytes: u64,
    /// Bytes of keys that failed a health test, wiped because the kernel is not fed or did not take them.
    pub aside_dropped_bytes: u64,
    /// Bytes of EGD servers that failed a health test, mixed into the kernel without credit.
    #[serde(default)]
    pub fetched_aside_mixed_bytes: u64,
    /// Bytes of EGD servers that failed a health test, wiped because the kernel is not fed or did not take them.
    #[serde(default)]
    pub fetched_aside_dropped_bytes: u64,
}

impl AddAssign for KeyBooks {
    /// Adds up the books of several keys.
    fn add_assign(&mut self, other: Self) {
        self.verified_bytes += other.verified_bytes;
        self.gathered_bytes += other.gathered_bytes;
        self.handed_bytes += other.handed_bytes;
        self.put_aside_bytes += other.put_aside_bytes;
        self.dropped_bytes += other.dropped_bytes;
    }
}
