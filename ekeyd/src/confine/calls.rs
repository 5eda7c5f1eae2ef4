//! The system calls that the daemon and its C library (glibc or musl) make, and those that only an attacker makes.
//!
//! The tests compare the list with the kernel's log of rejected calls: with keys on a tty and USB, unix and TCP clients, HTTP,
//! reloading, name resolution, logs to journal and syslog, a file and a pipe. If a call has older or newer variants, all are listed,
//! because another version of the C library may use another one.

use std::collections::BTreeMap;

use nix::libc::{self, c_long};
use seccompiler::{
    BackendError, SeccompCmpArgLen as Size, SeccompCmpOp as Is, SeccompCondition as Condition, SeccompRule as Rule,
};

/// Maps each call to the rules for its arguments: one of them must match. Without rules, any arguments are allowed.
pub(super) type Rules = BTreeMap<c_long, Vec<Rule>>;

/// The requests that fake typing on another user's terminal, ioctl_tty(2).
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;
/// random(4): `_IOW('R', 0x03, int [2])`.
const RNDADDENTROPY: u64 = 0x4008_5203;

const WRITE_AND_EXECUTE: u64 = (libc::PROT_WRITE | libc::PROT_EXEC) as u64;

/// What every thread needs: memory, threads, signals and time.
const OF_ANY_THREAD: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_tkill,
    libc::SYS_write,
    libc::SYS_writev,
];

const OF_THE_DAEMON: &[c_long] = &[
    // files
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    // replaces the nonce counter
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    // waiting
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    // sockets, without listen(2): all listeners are open by now
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // the process itself, and its locked memory
    libc::SYS_capget,
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getppid,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_prlimit64,
    libc::SYS_sched_getaffinity,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// Older calls that aarch64 does not have.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_getdents,
    libc::SYS_lstat,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(target_arch = "aarch64")]
const OLD: &[c_long] = &[];

/// Calls that end the process: they start programs, change rights, or reconfigure the kernel.
const ATTACKS: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_capset,
    libc::SYS_chroot,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_finit_module,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mknodat,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setns,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_setuid,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Returns the calls that end the process.
pub(super) fn attacks() -> Result<Rules, BackendError> {
    Ok(free(&[ATTACKS]))
}

/// Returns the calls of the thread that credits the kernel: it waits, adds entropy and ends.
pub(super) fn creditor() -> Result<Rules, BackendError> {
    let mut rules = free(&[OF_ANY_THREAD]);
    rules.insert(libc::SYS_ioctl, vec![Rule::new(vec![Condition::new(1, Size::Dword, Is::Eq, RNDADDENTROPY)?])?]);
    rules.insert(libc::SYS_mmap, data_or_code(2)?);
    rules.insert(libc::SYS_mprotect, data(2)?);
    Ok(rules)
}

/// Returns the calls of all other threads.
pub(super) fn daemon() -> Result<Rules, BackendError> {
    let mut rules = free(&[OF_ANY_THREAD, OF_THE_DAEMON, OLD]);
    let one_of = |argument, values: &[libc::c_int]| -> Result<Vec<Rule>, BackendError> {
        let is = |value: &libc::c_int| {
            let value = u64::from(value.unsigned_abs());
            Rule::new(vec![Condition::new(argument, Size::Dword, Is::Eq, value)?])
        };
        values.iter().map(is).collect()
    };
    // clone may start threads only. clone3 is allowed here because a filter of its own rejects it, without logging.
    rules.insert(libc::SYS_clone3, Vec::new());
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    rules
        .insert(libc::SYS_clone, vec![Rule::new(vec![Condition::new(0, Size::Qword, Is::MaskedEq(thread), thread)?])?]);
    let typing = [TIOCSTI, TIOCLINUX].map(|request| Condition::new(1, Size::Dword, Is::Ne, request));
    rules.insert(libc::SYS_ioctl, vec![Rule::new(typing.into_iter().collect::<Result<_, _>>()?)?]);
    rules.insert(libc::SYS_socket, one_of(0, &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK])?);
    rules.insert(libc::SYS_socketpair, one_of(0, &[libc::AF_UNIX])?);
    // Naming threads and memory, and reading the dumpable flag.
    let own = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_GET_DUMPABLE, libc::PR_SET_VMA];
    rules.insert(libc::SYS_prctl, one_of(0, &own)?);
    rules.insert(libc::SYS_mmap, data_or_code(2)?);
    rules.insert(libc::SYS_mprotect, data(2)?);
    Ok(rules)
}

fn free(lists: &[&[c_long]]) -> Rules {
    lists.iter().flat_map(|list| list.iter()).map(|call| (*call, Vec::new())).collect()
}

/// Allows memory to be writable or executable, but not both. Executable memory must stay allowed: the C library loads further
/// libraries to resolve names.
fn data_or_code(argument: u8) -> Result<Vec<Rule>, BackendError> {
    let kinds = [0, libc::PROT_WRITE, libc::PROT_EXEC].map(|kind| {
        let kind = u64::from(kind.unsigned_abs());
        Rule::new(vec![Condition::new(argument, Size::Dword, Is::MaskedEq(WRITE_AND_EXECUTE), kind)?])
    });
    kinds.into_iter().collect()
}

/// Forbids making memory executable.
fn data(argument: u8) -> Result<Vec<Rule>, BackendError> {
    let code = u64::from(libc::PROT_EXEC.unsigned_abs());
    Ok(vec![Rule::new(vec![Condition::new(argument, Size::Dword, Is::MaskedEq(code), 0)?])?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_attack_is_an_allowed_call() {
        let attacks = attacks().unwrap();
        for rules in [daemon().unwrap(), creditor().unwrap()] {
            let both: Vec<_> = rules.keys().filter(|call| attacks.contains_key(call)).collect();
            assert!(both.is_empty(), "{both:?}");
        }
    }

    #[test]
    fn the_crediting_thread_may_do_less_than_the_others() {
        let (all, few) = (daemon().unwrap(), creditor().unwrap());
        assert!(few.keys().all(|call| all.contains_key(call)));
        for call in [libc::SYS_openat, libc::SYS_socket, libc::SYS_connect, libc::SYS_clone, libc::SYS_read] {
            assert!(!few.contains_key(&call), "call {call}");
        }
    }
}
