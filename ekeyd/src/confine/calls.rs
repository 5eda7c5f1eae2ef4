//! The system calls that the daemon and its C library (glibc or musl) make, and those that only an attacker makes.
//!
//! What this file lists is what the filter allows and what `ekeyd check --sandbox` prints. A test records the calls of a daemon that
//! does everything, and fails if a call is listed and not made, unless its group says here that another machine makes it.

use std::collections::BTreeMap;

use nix::libc::{self, c_long};
use seccompiler::{BackendError, SeccompRule as Rule};

use super::arguments::{self, Argued};
use super::purpose::{ELSEWHERE, ON_USB, RARELY};
use super::reach::Reach;

/// Maps each call to the rules for its arguments: one of them must match. Without rules, any arguments are allowed.
pub(super) type Rules = BTreeMap<c_long, Vec<Rule>>;

/// Calls that are allowed with any arguments.
pub(super) struct Group {
    /// What they are for.
    pub(super) why: &'static str,
    /// Their names and numbers.
    pub(super) calls: &'static [(&'static str, c_long)],
}

/// Names calls by their constants in the crate `libc`.
macro_rules! calls {
    ($($call:ident)*) => { &[$((stringify!($call), libc::$call)),*] };
}

const OF_ANY_THREAD: &[Group] = &[
    Group {
        why: "memory, threads, signals and time",
        calls: calls![
            SYS_close SYS_exit SYS_exit_group SYS_futex SYS_getpid SYS_getrandom SYS_gettid SYS_madvise SYS_munmap
            SYS_rseq SYS_rt_sigaction SYS_rt_sigprocmask SYS_set_robust_list SYS_sigaltstack SYS_write
        ],
    },
    Group {
        why: RARELY,
        calls: calls![SYS_brk SYS_clock_nanosleep SYS_mremap SYS_restart_syscall SYS_rt_sigreturn SYS_sched_yield SYS_tgkill SYS_writev],
    },
    // musl, and a machine whose clock takes a call.
    Group { why: ELSEWHERE, calls: calls![SYS_clock_gettime SYS_gettimeofday SYS_membarrier SYS_nanosleep SYS_tkill] },
];

const OF_THE_DAEMON: &[Group] = &[
    Group {
        why: "files",
        calls: calls![
            SYS_fcntl SYS_fdatasync SYS_flock SYS_fsync SYS_getdents64 SYS_lseek SYS_newfstatat SYS_openat SYS_read SYS_statx
        ],
    },
    Group { why: "waiting", calls: calls![SYS_epoll_ctl SYS_eventfd2] },
    Group {
        why: "sockets, without listen: all listeners are open by now",
        calls: calls![SYS_accept4 SYS_bind SYS_connect SYS_getpeername SYS_getsockopt SYS_recvfrom SYS_shutdown],
    },
    Group {
        why: "the process itself, and its locked memory",
        calls: calls![SYS_geteuid SYS_mlock2 SYS_sched_getaffinity SYS_uname],
    },
    Group { why: RARELY, calls: calls![SYS_ftruncate] },
    Group { why: ON_USB, calls: calls![SYS_dup3 SYS_statfs SYS_timerfd_create SYS_timerfd_settime] },
    // aarch64 and musl: what x86_64 has older calls for.
    Group {
        why: ELSEWHERE,
        calls: calls![
            SYS_epoll_pwait SYS_faccessat SYS_fstat SYS_ppoll SYS_pread64 SYS_readlinkat SYS_readv SYS_renameat SYS_renameat2
            SYS_unlinkat
        ],
    },
    OLD,
    OLD_ELSEWHERE,
];

/// Older calls, which aarch64 does not have.
#[cfg(target_arch = "x86_64")]
const OLD: Group =
    Group { why: "files and waiting", calls: calls![SYS_epoll_wait SYS_poll SYS_readlink SYS_rename SYS_unlink] };
#[cfg(target_arch = "aarch64")]
const OLD: Group = Group { why: "files and waiting", calls: &[] };
#[cfg(target_arch = "x86_64")]
const OLD_ELSEWHERE: Group = Group { why: ELSEWHERE, calls: calls![SYS_access SYS_lstat SYS_open SYS_stat] };
#[cfg(target_arch = "aarch64")]
const OLD_ELSEWHERE: Group = Group { why: ELSEWHERE, calls: &[] };

/// What the resolver makes, with any modules of nsswitch.conf(5).
const OF_NAMES: Group = Group { why: ELSEWHERE, calls: calls![SYS_getsockname SYS_getuid SYS_recvmsg SYS_sysinfo] };

/// Calls that end the process: they start programs, change rights, or reconfigure the kernel.
const ATTACKS: &[(&str, c_long)] = calls![
    SYS_acct SYS_add_key SYS_bpf SYS_capset SYS_chroot SYS_clock_settime SYS_delete_module SYS_execve SYS_execveat SYS_finit_module
    SYS_fsopen SYS_init_module SYS_io_uring_setup SYS_kexec_load SYS_keyctl SYS_mknodat SYS_mount SYS_move_mount
    SYS_name_to_handle_at SYS_open_by_handle_at SYS_open_tree SYS_perf_event_open SYS_pidfd_getfd SYS_pivot_root
    SYS_process_vm_readv SYS_process_vm_writev SYS_ptrace SYS_reboot SYS_request_key SYS_setgid SYS_setgroups SYS_setns SYS_setregid
    SYS_setresgid SYS_setresuid SYS_setreuid SYS_setuid SYS_swapoff SYS_swapon SYS_umount2 SYS_unshare SYS_userfaultfd
];

/// The calls of a thread.
pub(super) struct Calls {
    /// Those that are allowed with any arguments.
    pub(super) groups: Vec<&'static Group>,
    /// Those that are allowed with some arguments.
    pub(super) argued: Vec<Argued>,
    /// Those that fail without a line in the kernel's log, because the C library or libusb makes them and copes.
    quiet: Vec<Argued>,
}

impl Calls {
    /// Returns the calls of the thread that credits the kernel: it waits, adds entropy and ends.
    pub(super) fn of_creditor() -> Self {
        Self { groups: OF_ANY_THREAD.iter().collect(), argued: arguments::of_creditor(), quiet: Vec::new() }
    }

    /// Returns the calls of all other threads.
    pub(super) fn of_daemon(reach: Reach) -> Self {
        let groups = OF_ANY_THREAD.iter().chain(OF_THE_DAEMON);
        let groups = groups.chain((reach == Reach::Names).then_some(&OF_NAMES)).collect();
        Self { groups, argued: arguments::of_daemon(reach), quiet: arguments::quiet() }
    }

    /// Returns the rules of the calls to allow. They include the quiet ones: of two filters that reject a call the later one decides
    /// whether that is logged.
    ///
    /// # Errors
    /// A rule is wrong.
    pub(super) fn allowed(&self) -> Result<Rules, BackendError> {
        let mut rules: Rules = self.groups.iter().flat_map(|group| free(group.calls)).collect();
        add(&mut rules, &self.argued)?;
        add(&mut rules, &self.quiet)?;
        Ok(rules)
    }

    /// Returns whether there are any of the latter.
    pub(super) fn has_quiet(&self) -> bool {
        !self.quiet.is_empty()
    }

    /// Returns the rules of the calls to reject without a line in the log.
    ///
    /// # Errors
    /// A rule is wrong.
    pub(super) fn quiet(&self) -> Result<Rules, BackendError> {
        let mut rules = Rules::new();
        add(&mut rules, &self.quiet)?;
        Ok(rules)
    }
}

/// Returns the rules of the calls that end the process.
pub(super) fn attacks() -> Rules {
    free(ATTACKS)
}

fn free(calls: &[(&str, c_long)]) -> Rules {
    calls.iter().map(|(_, number)| (*number, Vec::new())).collect()
}

fn add(rules: &mut Rules, calls: &[Argued]) -> Result<(), BackendError> {
    for call in calls {
        rules.entry(call.number).or_default().extend(call.rules()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Rules {
        Calls::of_daemon(Reach::Names).allowed().unwrap()
    }

    #[test]
    fn no_attack_is_an_allowed_call() {
        let attacks = attacks();
        for rules in [all(), Calls::of_creditor().allowed().unwrap()] {
            let both: Vec<_> = rules.keys().filter(|call| attacks.contains_key(call)).collect();
            assert!(both.is_empty(), "{both:?}");
        }
    }

    #[test]
    fn no_call_is_listed_twice() {
        let calls = Calls::of_daemon(Reach::Names);
        let mut numbers: Vec<_> =
            calls.groups.iter().flat_map(|group| group.calls).map(|(_, number)| *number).collect();
        numbers.extend(calls.argued.iter().map(|call| call.number));
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "the second entry would replace the first");
    }

    #[test]
    fn the_crediting_thread_may_do_less_than_the_others() {
        let (all, few) = (all(), Calls::of_creditor().allowed().unwrap());
        assert!(few.keys().all(|call| all.contains_key(call)));
        for call in [libc::SYS_openat, libc::SYS_socket, libc::SYS_connect, libc::SYS_clone, libc::SYS_read] {
            assert!(!few.contains_key(&call), "call {call}");
        }
    }
}
