//! The user that the daemon runs as, and what it may do.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

use super::machine::Machine;

/// Numbers of capabilities(7) as the kernel's `CapEff` has their bits.
const DAC_OVERRIDE: u32 = 1;
const SYS_ADMIN: u32 = 21;

/// A user as the kernel sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    groups: Vec<u32>,
    capabilities: u64,
}

/// The user of the daemon that runs as `pid`; else the one that its unit would give it. None if neither can be told.
pub(super) fn daemon_user(machine: &Machine, pid: Option<u32>) -> Option<User> {
    match pid {
        Some(pid) => of_process(machine, pid),
        None => named(machine, "ekeyd"),
    }
}

/// The user's name by its number; the number where there is none.
pub(super) fn name(machine: &Machine, uid: u32) -> String {
    let accounts = machine.text("etc/passwd").unwrap_or_default();
    let account = accounts.lines().find(|line| line.split(':').nth(2) == Some(uid.to_string().as_str()));
    account.and_then(|line| line.split(':').next()).map_or_else(|| format!("user {uid}"), str::to_owned)
}

/// The group's name by its number; the number where there is none.
pub(super) fn group_name(machine: &Machine, gid: u32) -> String {
    let groups = machine.text("etc/group").unwrap_or_default();
    let group = groups.lines().find(|line| line.split(':').nth(2) == Some(gid.to_string().as_str()));
    group.and_then(|line| line.split(':').next()).map_or_else(|| gid.to_string(), str::to_owned)
}

impl User {
    /// Whether it may credit the kernel with entropy.
    pub(super) fn may_credit(&self) -> bool {
        self.has(SYS_ADMIN)
    }

    /// Whether it may read and write a file of this owner and mode.
    pub(super) fn may_use(&self, file: &Metadata) -> bool {
        let rights = if file.uid() == self.uid {
            file.mode() >> 6
        } else if self.groups.contains(&file.gid()) {
            file.mode() >> 3
        } else {
            file.mode()
        };
        self.overrides() || rights & 0o6 == 0o6
    }

    /// Whether owners and modes mean nothing to it.
    pub(super) fn overrides(&self) -> bool {
        self.has(DAC_OVERRIDE)
    }

    fn has(&self, capability: u32) -> bool {
        self.capabilities & (1 << capability) != 0
    }
}

fn of_process(machine: &Machine, pid: u32) -> Option<User> {
    let status = machine.text(format!("proc/{pid}/status"))?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    // Real, effective, saved, of the file system: the last decides what may be opened.
    let fourth = |name| field(name)?.split_whitespace().nth(3)?.parse::<u32>().ok();
    let uid = fourth("Uid")?;
    let mut groups: Vec<u32> =
        field("Groups").unwrap_or_default().split_whitespace().filter_map(|gid| gid.parse().ok()).collect();
    groups.extend(fourth("Gid"));
    // Each thread has its own: the daemon's first one has none, and another credits the kernel.
    let threads = fs::read_dir(machine.path(format!("proc/{pid}/task"))).into_iter().flatten().flatten();
    let threads = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    let capabilities =
        threads.filter_map(|status| effective(&status)).fold(effective(&status)?, |held, own| held | own);
    Some(User { name: name(machine, uid), uid, groups, capabilities })
}

fn effective(status: &str) -> Option<u64> {
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(held.trim(), 16).ok()
}

fn named(machine: &Machine, name: &str) -> Option<User> {
    let accounts = machine.text("etc/passwd")?;
    let account: Vec<&str> = accounts
        .lines()
        .map(|line| line.split(':').collect())
        .find(|account: &Vec<&str>| account.first() == Some(&name))?;
    let uid = account.get(2)?.parse().ok()?;
    let mut groups: Vec<u32> = account.get(3)?.parse().into_iter().collect();
    for line in machine.text("etc/group").unwrap_or_default().lines() {
        let group: Vec<&str> = line.split(':').collect();
        if group.get(3).is_some_and(|members| members.split(',').any(|member| member == name)) {
            groups.extend(group.get(2).and_then(|gid| gid.parse::<u32>().ok()));
        }
    }
    Some(User { name: name.to_owned(), uid, groups, capabilities: 0 })
}
