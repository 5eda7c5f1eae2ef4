//! The pool and its outlets, in the status.

use std::ops::Add;

use serde::{Deserialize, Serialize};

/// The pool between keys and outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStatus {
    /// Held now.
    pub bytes: u64,
    /// What it can hold.
    pub capacity: u64,
    /// Discarded because it was full.
    pub overflowed_bytes: u64,
    /// Received from all keys and servers.
    pub received_bytes: u64,
    /// Wiped: because they are suspect, as a test failed on bytes that came with them, or because the daemon forgot everything.
    #[serde(default)]
    pub wiped_bytes: u64,
}

/// What became of the bytes that an outlet was given: given = passed on + waiting + dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Given to it.
    pub given_bytes: u64,
    /// Of these, those that left the daemon, or were used.
    pub passed_on_bytes: u64,
    /// Of these, those that wait for that.
    pub waiting_bytes: u64,
    /// Of these, those that will never leave, because their taker has gone or failed.
    pub dropped_bytes: u64,
}

/// An outlet: the same for each kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutletStatus {
    /// Its name, as in the configuration.
    pub name: String,
    /// What became of the bytes that it was given. For EGD clients, the bytes of answers that are not entropy count too.
    #[serde(flatten)]
    pub account: Account,
    /// What is wrong and what to do.
    pub problem: Option<String>,
}

impl OutletStatus {
    /// Outlets that have a part of the status of their own.
    const OWN_PART: [&str; 4] = ["kernel", "file", "egd", "expand"];

    /// Whether this is all that the status says of it.
    pub fn stands_alone(&self) -> bool {
        !Self::OWN_PART.contains(&self.name.as_str())
    }

    /// The status of an outlet.
    pub fn new(name: &str, account: Account, problem: Option<String>) -> Self {
        Self { name: name.to_owned(), account, problem }
    }
}

impl Add for Account {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            given_bytes: self.given_bytes + other.given_bytes,
            passed_on_bytes: self.passed_on_bytes + other.passed_on_bytes,
            waiting_bytes: self.waiting_bytes + other.waiting_bytes,
            dropped_bytes: self.dropped_bytes + other.dropped_bytes,
        }
    }
}

/// Which random device the kernel has (firmware-notes, kernel).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelEra {
    /// With a pool of 4096 bits that drains.
    #[serde(rename = "before-2022")]
    Before2022,
    /// With a generator that is ready once and stays so.
    #[serde(rename = "since-2022")]
    Since2022,
}

/// Feeding the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelStatus {
    /// Which random device it is; not known if it could not be opened.
    pub era: Option<KernelEra>,
    /// Whether the kernel calls its generator ready.
    pub ready: bool,
    /// Bytes it was given from the pool.
    #[serde(default)]
    pub given_bytes: u64,
    /// Bytes mixed in, with those of keys that failed a health test.
    pub mixed_bytes: u64,
    /// Bytes it was given and did not take.
    #[serde(default)]
    pub dropped_bytes: u64,
    /// Bits of entropy claimed for them.
    pub credited_bits: u64,
    /// Whether the daemon may claim any.
    pub privileged: bool,
    /// What is wrong and what to do.
    pub problem: Option<String>,
}

/// Writing a file or a pipe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// `-` for standard output.
    pub path: String,
    /// Bytes it was given from the pool.
    #[serde(default)]
    pub given_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes that wait to be written.
    #[serde(default)]
    pub waiting_bytes: u64,
    /// Bytes given that will never be written, because the file has stopped.
    #[serde(default)]
    pub dropped_bytes: u64,
    /// Where it stops.
    pub max_bytes: Option<u64>,
    /// Why it stopped.
    pub stopped: Option<String>,
}
