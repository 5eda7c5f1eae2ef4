//! The daemon's user and its rights.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

use super::machine::Machine;

/// Numbers of capabilities(7), the bits of the kernel's `CapEff`.
const DAC_OVERRIDE: u32 = 1;
const SYS_ADMIN: u32 = 21;

/// A user, as the kernel sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    groups: Vec<u32>,
    capabilities: u64,
}

/// Returns the user of process `pid`, or without a daemon the user of its unit. `None` if neither is known.
pub(super) fn daemon_user(machine: &Machine, pid: Option<u32>) -> Option<User> {
    match pid {
        Some(pid) => of_process(machine, pid),
        None => named(machine, "ekeyd"),
    }
}

/// Returns the user's name, or its number if it has none.
pub(super) fn name(machine: &Machine, uid: u32) -> String {
    let accounts = machine.text("etc/passwd").unwrap_or_default();
    let account = accounts.lines().find(|line| line.split(':').nth(2) == Some(uid.to_string().as_str()));
    account.and_then(|line| line.split(':').next()).map_or_else(|| format!("user {uid}"), str::to_owned)
}

/// Returns the group's name, or its number if it has none.
pub(super) fn group_name(machine: &Machine, gid: u32) -> String {
    let groups = machine.text("etc/group").unwrap_or_default();
    let group = groups.lines().find(|line| line.split(':').nth(2) == Some(gid.to_string().as_str()));
    group.and_then(|line| line.split(':').next()).map_or_else(|| gid.to_string(), str::to_owned)
}

impl User {
    /// Reports whether it may credit the kernel with entropy.
    pub(super) fn may_credit(&self) -> bool {
        self.has(SYS_ADMIN)
    }

    /// Reports whether it may read and write this file, by owner and mode.
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

    /// Reports whether it may ignore owners and modes.
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
    // Real, effective, saved, file system: the last decides which files it may open.
    let fourth = |name| field(name)?.split_whitespace().nth(3)?.parse::<u32>().ok();
    let uid = fourth("Uid")?;
    let mut groups: Vec<u32> =
        field("Groups").unwrap_or_default().split_whitespace().filter_map(|gid| gid.parse().ok()).collect();
    groups.extend(fourth("Gid"));
    // Capabilities differ per thread: the daemon's first thread has none, another one credits the kernel.
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
