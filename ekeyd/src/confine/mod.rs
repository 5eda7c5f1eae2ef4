//! What the daemon gives up once it has opened what it needs, so that whoever takes it over by way of a key, a socket or a file
//! gets little: its user, its capabilities, most system calls, most files, core dumps. The same with and without systemd.
//!
//! What a kernel does not know is left out and said; the daemon serves all the same. What is in force is read back from the
//! kernel ([`in_force`]), never taken from what was asked.

mod account;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod calls;
mod capabilities;
mod files;
mod filter;
mod in_force;
mod memory;

use std::path::Path;

use ekey_control::status::ConfinementStatus;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::set_no_new_privs;

use crate::config::Config;
use crate::outlet::kernel::Kernel;

pub(crate) use account::AccountError;

/// What holds from the first moment on: no more rights than the process has, and no core dump, for the memory has long-term keys.
pub(crate) fn from_the_start() {
    if let Err(errno) = set_no_new_privs(true) {
        tracing::warn!("cannot give up gaining rights (no_new_privs): {errno}");
    }
    keep_memory_private();
    memory::allow_locking();
    memory::forbid_core_dumps();
}

/// Neither a core dump nor another program of the same user gets to see the memory. A change of user undoes it.
fn keep_memory_private() {
    if let Err(errno) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("cannot keep others out of this program's memory (PR_SET_DUMPABLE): {errno}");
    }
}

/// What was done, and what is in force of it.
pub(crate) struct Confinement {
    /// What could not be had, each with the reason.
    problems: Vec<String>,
    landlock: u32,
    user: String,
    seen: ConfinementStatus,
}

impl Confinement {
    /// Becomes the user of the configuration, and gives up what is not needed any more. Call it with every socket and device open
    /// that takes root, and before any other thread is started: what holds for a thread holds for those that it starts.
    ///
    /// The kernel sink's part that takes CAP_SYS_ADMIN goes to a thread of its own, the only one that keeps it.
    ///
    /// # Errors
    /// [`AccountError`] if the user that the configuration names cannot be had. All else is noted and said.
    pub(crate) fn enter(
        config: &Config,
        config_file: Option<&Path>,
        kernel: Option<&mut Kernel>,
    ) -> Result<Self, AccountError> {
        let mut problems = Vec::new();
        let account = account::wanted(&config.sandbox.user)?;
        let credits = kernel.is_some() && capabilities::may_credit();
        capabilities::bound();
        let keyring = Some(config.keyring.as_path()).filter(|_| config_file.is_some());
        let stays_root = match account {
            Some(account) => account.become_it(keyring)?,
            None => nix::unistd::geteuid().is_root(),
        };
        let enabled = config.sandbox.enabled;
        let mut landlock = 0;
        if enabled {
            match files::restrict(config, config_file) {
                Ok(version) => landlock = version,
                Err(why) => problems.push(format!("files: {why}")),
            }
        }
        // Landlock holds for the thread that keeps the capability as well; the filter of all others would hinder it less than
        // its own does.
        if let Some(kernel) = kernel.filter(|_| credits) {
            let confine = move || {
                capabilities::keep_only(capabilities::CREDIT);
                if enabled { filter::install(filter::Of::Creditor).err() } else { None }
            };
            match kernel.credit_on_a_thread(confine) {
                Ok(None) => {}
                Ok(Some(why)) => problems.push(format!("system calls of the thread that credits the kernel: {why}")),
                Err(error) => problems.push(format!("a thread that credits the kernel: {error}")),
            }
        }
        keep_memory_private();
        capabilities::keep_only(if stays_root { capabilities::OF_ROOT } else { capabilities::NONE });
        if enabled && let Err(why) = filter::install(filter::Of::Daemon) {
            problems.push(format!("system calls: {why}"));
        }
        for problem in &problems {
            tracing::info!("not confined in full: {problem}");
        }
        Ok(Self { problems, landlock, user: account::own_name(), seen: ConfinementStatus::default() })
    }

    /// Locks the memory that there is, and reads back what is in force. To be called once all has started, and whenever more of
    /// it has come, such as another thread's.
    pub(crate) fn lock_memory(&mut self) {
        memory::lock();
        self.seen = in_force::read_back(self.landlock);
        self.seen.user.clone_from(&self.user);
        self.seen.problems.clone_from(&self.problems);
    }

    /// Whether it keeps the daemon from files.
    pub(crate) fn bounds_files(&self) -> bool {
        self.seen.landlock > 0
    }

    /// What was in force when memory was locked last.
    pub(crate) fn status(&self) -> ConfinementStatus {
        self.seen.clone()
    }
}
