//! Expanding entropy, in the status: the seeds and the bytes made from them.

use serde::{Deserialize, Serialize};

use super::EgdStatus;

/// The generator of `[expand]` and its listeners. It does not give full entropy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpandStatus {
    /// Whether each byte handed out has eight bits of entropy: never, here.
    pub full_entropy: bool,
    /// Whether it has a seed that is fresh enough.
    pub seeded: bool,
    /// Seeds that it has had.
    pub seeds: u64,
    /// Bytes of keys that went into them.
    pub seed_bytes: u64,
    /// Seconds since the last one; `None` if it has none.
    pub seed_age_s: Option<u64>,
    /// How old a seed may be before it is renewed, in seconds.
    pub reseed_interval_s: u64,
    /// How many bytes may be made of one before it is renewed.
    pub reseed_bytes: u64,
    /// Bytes that were made.
    pub generated_bytes: u64,
    /// Of these, those that wait for clients.
    pub ready_bytes: u64,
    /// Of these, those that were wiped because a fresh seed came before a client asked for them.
    pub wiped_bytes: u64,
    /// Its listeners; their bytes are among those of no other.
    pub listeners: Vec<EgdStatus>,
    /// Why its clients get nothing, and what to do.
    pub problem: Option<String>,
}
