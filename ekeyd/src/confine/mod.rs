//! The sandbox. Once the daemon has opened what it needs, it drops root, its capabilities, most system calls, most files and core
//! dumps, so an attacker who takes it over through a key, a socket or a file gains little. It does so with and without systemd.
//!
//! A kernel that lacks a mechanism is reported, and the daemon serves anyway. The status shows what the kernel reports back
//! ([`in_force`]), never what was requested.

mod account;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod arguments;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod calls;
mod capabilities;
mod files;
mod filter;
mod in_force;
mod memory;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod purpose;
mod reach;
mod table;

use std::path::{Path, PathBuf};

use ekey_control::status::ConfinementStatus;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::set_no_new_privs;

use crate::config::{Config, Keys, Section as _};
use crate::outlet::Outlet;

use reach::Reach;

pub(crate) use account::AccountError;
pub(crate) use table::table;

/// Applies what needs no configuration: the process can gain no rights and writes no core dump, because its memory holds long-term
/// keys. Call it first.
pub(crate) fn from_the_start() {
    if let Err(errno) = set_no_new_privs(true) {
        tracing::warn!("cannot set no_new_privs, which keeps programs from gaining rights: {errno}");
    }
    keep_memory_private();
    memory::allow_locking();
    memory::forbid_core_dumps();
}

/// Hides the memory from core dumps and from other programs of the same user. Changing the user undoes this.
fn keep_memory_private() {
    if let Err(errno) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("cannot set PR_SET_DUMPABLE, which hides this program's memory: {errno}");
    }
}

/// Holds the result of entering the sandbox, and what the kernel last reported to be in force.
pub(crate) struct Confinement {
    /// The mechanisms that failed, each with the reason.
    problems: Vec<String>,
    landlock: u32,
    /// The folders of the nodes of keys, as configured at the start.
    devices: Vec<PathBuf>,
    user: String,
    seen: ConfinementStatus,
    /// Whether the log says that memory is not locked.
    has_complained: bool,
}

impl Confinement {
    /// Becomes the configured user and drops everything that is no longer needed. Call it after opening the sockets and devices that
    /// take root, and before starting any thread: a thread inherits its parent's restrictions.
    ///
    /// The part of an outlet that takes CAP_SYS_ADMIN goes to a thread of its own, the only one that keeps it.
    ///
    /// # Errors
    /// [`AccountError`] if the process cannot become its user. Other failures are logged and kept for the status.
    pub(crate) fn enter(
        config: &Config,
        config_file: Option<&Path>,
        outlets: &mut [Box<dyn Outlet>],
    ) -> Result<Self, AccountError> {
        let mut problems = Vec::new();
        let account = account::wanted(&config.sandbox.user)?;
        let credits = capabilities::may_credit();
        capabilities::bound();
        let keyring = Some(config.keyring.as_path()).filter(|_| config_file.is_some());
        if config_file.is_some() {
            account::make_state_folder(&config.state_folder(), account.as_ref());
        }
        if let Some(account) = account {
            account.become_it(keyring)?;
        }
        let stays_root = nix::unistd::geteuid().is_root();
        let enabled = config.sandbox.enabled;
        let mut landlock = 0;
        if enabled {
            match files::restrict(config, config_file) {
                Ok(version) => landlock = version,
                Err(why) => problems.push(format!("files: {why}")),
            }
        }
        // Started after landlock, which it inherits, and before the daemon's filter, because its own is stricter.
        for outlet in outlets.iter_mut().filter(|outlet| credits && outlet.needs_privilege()) {
            let confine = move || {
                capabilities::keep_only(capabilities::CREDIT);
                if enabled { filter::install(filter::Of::Creditor).err() } else { None }
            };
            problems.extend(outlet.keep_privilege(Box::new(confine)).flatten());
        }
        keep_memory_private();
        capabilities::keep_only(if stays_root { capabilities::OF_ROOT } else { capabilities::NONE });
        if enabled && let Err(why) = filter::install(filter::Of::Daemon(Reach::of(&config.claims()))) {
            problems.push(format!("system calls: {why}"));
        }
        for problem in &problems {
            tracing::info!("the sandbox is incomplete: {problem}");
        }
        let devices = files::folders_of_keys(&config.keys);
        Ok(Self {
            problems,
            landlock,
            devices,
            user: account::own_name(),
            seen: ConfinementStatus::default(),
            has_complained: false,
        })
    }

    /// Locks the present memory, `pool` whatever its size, and reads back what is in force. Call it after the start, after every new
    /// thread, and after reading secrets.
    pub(crate) fn lock_memory(&mut self, pool: &[u8]) {
        let unlocked = memory::lock(pool);
        if let (Some(problem), false) = (&unlocked, std::mem::replace(&mut self.has_complained, unlocked.is_some())) {
            tracing::info!("the sandbox is incomplete: {problem}");
        }
        self.seen = in_force::read_back(self.landlock);
        self.seen.user.clone_from(&self.user);
        self.seen.problems.clone_from(&self.problems);
        self.seen.problems.extend(unlocked);
    }

    /// Returns whether landlock restricts files.
    pub(crate) fn bounds_files(&self) -> bool {
        self.seen.landlock > 0
    }

    /// Returns whether landlock restricts devices, and some that these keys need were not configured at the start.
    pub(crate) fn lacks_devices_of(&self, keys: &Keys) -> bool {
        let has = |folder: &PathBuf| self.devices.iter().any(|own| folder.starts_with(own));
        self.bounds_files() && !files::folders_of_keys(keys).iter().all(has)
    }

    /// Returns what was in force at the last [`lock_memory`](Self::lock_memory).
    pub(crate) fn status(&self) -> ConfinementStatus {
        self.seen.clone()
    }
}
