//! What the daemon's tests say of a key's stream, as part of its status.

use serde::{Deserialize, Serialize};

/// The tests of one key's stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthStatus {
    /// The false-alarm rate that the cut-offs are computed from, such as `2^-40`.
    pub alpha: String,
    /// Bytes that were looked at.
    pub tested_bytes: u64,
    /// Blocks of 20,000 bits that were tested by FIPS 140-2.
    pub fips_blocks: u64,
    /// Those that failed; about 1 in 1,250 of good ones does.
    pub fips_failures: u64,
    /// How often each test has failed, those that never did left out.
    pub failures: Vec<TestFailures>,
    /// Why nothing of the key is handed out, if so.
    pub put_aside: Option<PutAside>,
    /// How often the key was put aside.
    pub times_put_aside: u64,
    /// What is not well in what the key says of itself, in words; it is used nevertheless.
    pub warnings: Vec<String>,
}

/// One test's failures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestFailures {
    /// The test: `repetition-count`, `adaptive-proportion`, `fips-ratio`, `bias`, `period`, `replay`.
    pub test: String,
    /// How often it has failed.
    pub count: u64,
}

/// Why a key is put aside, and how far it is on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAside {
    /// The test that failed, as in [`TestFailures`].
    pub test: String,
    /// At which byte of the key's stream, counted from 0.
    pub at_byte: u64,
    /// What was seen.
    pub observed: u64,
    /// From which value on it is a failure.
    pub cutoff: u64,
    /// Both, in words.
    pub what: String,
    /// For how many seconds it has been put aside.
    pub since_s: u64,
    /// Good blocks of 2,500 bytes in a row so far.
    pub good_blocks: u32,
    /// After how many it is taken back.
    pub good_blocks_due: u32,
}
