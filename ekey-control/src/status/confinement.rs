//! What keeps the daemon from doing more than it has to, as far as it is in force.

use serde::{Deserialize, Serialize};

/// As the kernel says it, not as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfinementStatus {
    /// The user that the daemon is, by name, or by number where there is none.
    pub user: String,
    /// Whether it can gain no rights any more, by no program that it might start.
    pub no_new_privs: bool,
    /// Whether its memory may end up in a core dump.
    pub core_dumps: bool,
    /// Whether the system calls of every thread are filtered.
    pub filter: bool,
    /// The version of landlock that bounds its files; 0 if nothing does.
    pub landlock: u32,
    /// Its threads.
    pub threads: u64,
    /// The capabilities that any of them has.
    pub capabilities: Vec<HeldCapability>,
    /// Bytes of memory that are never written to swap.
    pub locked_bytes: u64,
    /// What could not be had, each with the reason.
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
