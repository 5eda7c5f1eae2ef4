//! Clones of this machine, in the status: what keeps two of them from giving the same bytes.

use serde::{Deserialize, Serialize};

/// What the daemon does about clones of its machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloneStatus {
    /// Whether fresh bytes of the kernel's generator are mixed into those that EGD clients get.
    pub mixes_fresh: bool,
    /// How often the daemon has forgotten all that it held.
    pub forgotten: u64,
    /// Bytes of sources that it wiped each time, in all.
    pub forgotten_bytes: u64,
    /// Why it did so the last time; `None` if it never did.
    pub last_reason: Option<ForgetReason>,
    /// Seconds since then.
    pub last_age_s: Option<u64>,
}

/// Why the daemon forgot all that it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForgetReason {
    /// The kernel reported a new virtual machine generation ID.
    NewGeneration,
    /// The clock jumped against the time since boot, as it does when a machine is restored; or someone set it.
    ClockJumped,
    /// The machine had slept, perhaps on disk.
    Slept,
    /// A command.
    Command,
}

impl ForgetReason {
    /// Returns it for people, as the end of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::NewGeneration => "the kernel says that this machine is a copy of another (NEW_VMGENID)",
            Self::ClockJumped => "the clock has jumped, as it does when a machine is restored",
            Self::Slept => "the machine was suspended",
            Self::Command => "by command",
        }
    }
}
