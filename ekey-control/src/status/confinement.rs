//! The daemon's sandbox in the status: the limits that are in force.

use serde::{Deserialize, Serialize};

/// The sandbox as the kernel reports it, not as it was configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfinementStatus {
    /// The daemon's user, by name, or by number if it has no name.
    pub user: String,
    /// Whether neither it nor a program that it starts can gain rights.
    pub no_new_privs: bool,
    /// Whether a core dump may hold its memory.
    pub core_dumps: bool,
    /// Whether the system calls of every thread are filtered.
    pub filter: bool,
    /// The version of landlock that limits its files; 0 without landlock.
    pub landlock: u32,
    /// Its threads.
    pub threads: u64,
    /// The capabilities that at least one thread has.
    pub capabilities: Vec<HeldCapability>,
    /// Bytes of memory that the kernel never writes to swap.
    pub locked_bytes: u64,
    /// The limits that are missing, each with the reason.
    pub problems: Vec<String>,
}

/// A capability, capabilities(7), and how many threads have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCapability {
    /// Such as `CAP_SYS_ADMIN`.
    pub name: String,
    /// Threads that have it.
    pub threads: u64,
}
