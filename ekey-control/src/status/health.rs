//! The results of the daemon's tests of a stream, of a key or an EGD server, in the status.

use serde::{Deserialize, Serialize};

/// The tests of one key's or EGD server's stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthStatus {
    /// The false-alarm rate that the cut-offs are computed from, such as `2^-40`.
    pub alpha: String,
    /// Bytes tested.
    pub tested_bytes: u64,
    /// Blocks of 20,000 bits that were tested by FIPS 140-2.
    pub fips_blocks: u64,
    /// Those that failed; about 1 in 1,250 of good ones does.
    pub fips_failures: u64,
    /// How often each test has failed, those that never did left out.
    pub failures: Vec<TestFailures>,
    /// The failure for which the daemon hands out nothing of this source.
    pub put_aside: Option<PutAside>,
    /// How often the source has failed and was not used.
    pub times_put_aside: u64,
    /// What the key says of itself that is not well, in words. The key is used nevertheless.
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

/// A failed test that keeps a source from being used, and how far it is on its way back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAside {
    /// The test that failed, as in [`TestFailures`].
    pub test: String,
    /// At which byte of the source's stream, counted from 0.
    pub at_byte: u64,
    /// What was seen.
    pub observed: u64,
    /// The lowest value that is a failure.
    pub cutoff: u64,
    /// Both, in words.
    pub what: String,
    /// Seconds since the failure.
    pub since_s: u64,
    /// Good blocks of 2,500 bytes in a row since.
    pub good_blocks: u32,
    /// Good blocks in a row after which the source is used again.
    pub good_blocks_due: u32,
}
