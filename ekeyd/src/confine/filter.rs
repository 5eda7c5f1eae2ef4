//! Restricts the daemon's system calls by seccomp(2), on the architectures whose calls [`super::calls`] lists.
//!
//! A call that is not listed fails with ENOSYS, as on an older kernel, and the kernel logs it. A newer C library then falls back to
//! the older call, and the log shows which call to add. Calls that only an attacker makes, such as execve, ptrace and mount, end the
//! process. Of some calls only the arguments in [`super::arguments`] are listed.
#![cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    expect(unsafe_code, reason = "seccomp with flags takes a pointer to the filter")
)]

use super::reach::Reach;

/// Says which thread's calls to filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// All threads but the creditor.
    Daemon(Reach),
    /// The thread that credits the kernel, and can do nothing else.
    Creditor,
}

/// Installs the filter for this thread and those that it starts.
///
/// # Errors
/// The reason why there is no filter.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn install(_whose: Of) -> Result<(), String> {
    Err("this architecture has no filter; x86_64 and aarch64 have one".to_owned())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use here::install;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod here {
    use std::io;

    use nix::libc;
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

    use super::super::calls::{Calls, Rules, attacks};
    use super::Of;

    const ARCH: TargetArch = if cfg!(target_arch = "x86_64") { TargetArch::x86_64 } else { TargetArch::aarch64 };
    /// `SECCOMP_SET_MODE_FILTER`, and the flag that logs rejected calls. The libc crate does not define them for every target.
    const SET_MODE_FILTER: libc::c_long = 1;
    const LOG: libc::c_long = 2;

    pub(in super::super) fn install(whose: Of) -> Result<(), String> {
        let calls = match whose {
            Of::Daemon(reach) => Calls::of_daemon(reach),
            Of::Creditor => Calls::of_creditor(),
        };
        let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
        if calls.has_quiet() {
            load(compile(calls.quiet(), SeccompAction::Allow, refused.clone())?, 0)?;
        }
        load(compile(Ok(attacks()), SeccompAction::Allow, SeccompAction::KillProcess)?, LOG)?;
        load(compile(calls.allowed(), refused, SeccompAction::Allow)?, LOG)
    }

    fn compile(
        rules: Result<Rules, seccompiler::BackendError>,
        other: SeccompAction,
        listed: SeccompAction,
    ) -> Result<BpfProgram, String> {
        let filter = rules.and_then(|rules| SeccompFilter::new(rules, other, listed, ARCH));
        filter.and_then(BpfProgram::try_from).map_err(|error| error.to_string())
    }

    fn load(program: BpfProgram, flags: libc::c_long) -> Result<(), String> {
        let mut program: Vec<libc::sock_filter> = program
            .into_iter()
            .map(|step| libc::sock_filter { code: step.code, jt: step.jt, jf: step.jf, k: step.k })
            .collect();
        let len = program.len().try_into().map_err(|_| "the filter is too long".to_owned())?;
        let loaded = libc::sock_fprog { len, filter: program.as_mut_ptr() };
        // SAFETY: the kernel reads `len` instructions and keeps a copy of its own.
        let outcome = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, &raw const loaded) };
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error().to_string()) }
    }
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use std::fs::File;
    use std::io::{self, Read as _};
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;
    use std::{ptr, thread};

    use nix::errno::Errno;
    use nix::libc::{self, c_int, c_ulong};

    use super::{Of, Reach, install};

    /// Tells this test's child process to play the attacker.
    const AS_ATTACKER: &str = "EKEYD_TEST_EXECUTES";
    const ALL_REACHES: [Reach; 3] = [Reach::Nothing, Reach::Addresses, Reach::Names];

    fn confined<T: Send + 'static>(whose: Of, act: impl FnOnce() -> T + Send + 'static) -> T {
        let thread = thread::spawn(move || {
            install(whose).expect("a filter");
            act()
        });
        thread.join().expect("it goes on")
    }

    /// Returns whether a daemon that reaches so far can make this socket.
    fn can_make(reach: Reach, family: c_int, kind: c_int, protocol: c_int) -> bool {
        // SAFETY: the call touches no memory.
        let made = move || Errno::result(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) });
        match confined(Of::Daemon(reach), made) {
            Ok(socket) => {
                // SAFETY: only this function knows the descriptor.
                unsafe { libc::close(socket) };
                true
            }
            // The kernel has no such protocol, or this user may not use it: the filter let it pass.
            Err(errno) => errno != Errno::ENOSYS,
        }
    }

    #[test]
    fn unlisted_calls_fail_and_listed_ones_work() {
        let (read, started, listened, folder) = confined(Of::Daemon(Reach::Names), || {
            let mut bytes = [0; 8];
            (
                File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)),
                thread::spawn(|| UdpSocket::bind("127.0.0.1:0").map(drop)).join().expect("a thread"),
                TcpListener::bind("127.0.0.1:0").map(drop),
                std::fs::create_dir("/tmp/ekeyd-never-made"),
            )
        });
        assert!(read.is_ok() && started.is_ok(), "{read:?} {started:?}");
        for refused in [listened, folder] {
            assert_eq!(refused.map_err(|error| error.raw_os_error()), Err(Some(libc::ENOSYS)));
        }
    }

    #[test]
    fn no_ip_socket_can_be_made_without_a_server() {
        for family in [libc::AF_INET, libc::AF_INET6, libc::AF_PACKET, libc::AF_VSOCK, libc::AF_ALG] {
            for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET] {
                for protocol in [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_MPTCP] {
                    assert!(!can_make(Reach::Nothing, family, kind, protocol), "{family} {kind} {protocol}");
                }
            }
        }
    }

    #[test]
    fn servers_are_reached_by_tcp_and_nothing_else() {
        for family in [libc::AF_INET, libc::AF_INET6] {
            for reach in [Reach::Addresses, Reach::Names] {
                assert!(can_make(reach, family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0));
                for protocol in [libc::IPPROTO_MPTCP, libc::IPPROTO_SCTP] {
                    assert!(!can_make(reach, family, libc::SOCK_STREAM, protocol), "{family} {protocol}");
                }
                assert!(!can_make(reach, family, libc::SOCK_RAW, libc::IPPROTO_ICMP));
                assert!(!can_make(reach, family, libc::SOCK_DGRAM, libc::IPPROTO_ICMP));
                assert_eq!(can_make(reach, family, libc::SOCK_DGRAM, 0), reach == Reach::Names);
            }
        }
    }

    #[test]
    fn netlink_is_for_uevents_only() {
        for protocol in 0..=32 {
            for reach in ALL_REACHES {
                let is_made = can_make(reach, libc::AF_NETLINK, libc::SOCK_RAW, protocol);
                assert_eq!(is_made, protocol == libc::NETLINK_KOBJECT_UEVENT, "netlink protocol {protocol}");
            }
        }
    }

    #[test]
    fn nothing_connects_by_sending() {
        let outcomes = confined(Of::Daemon(Reach::Names), || {
            // SAFETY: zeros are a message without address, data and ancillary data, and the calls read nothing else.
            unsafe {
                let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
                let message: libc::msghdr = std::mem::zeroed();
                let mut messages: libc::mmsghdr = std::mem::zeroed();
                let on = 1;
                let set = |level, name| libc::setsockopt(socket, level, name, (&raw const on).cast(), 4);
                let outcomes = [
                    Errno::result(libc::sendto(socket, ptr::null(), 0, libc::MSG_FASTOPEN, ptr::null(), 0)).map(drop),
                    Errno::result(libc::sendmsg(socket, &raw const message, libc::MSG_FASTOPEN)).map(drop),
                    Errno::result(libc::sendmmsg(socket, &raw mut messages, 1, libc::MSG_FASTOPEN)).map(drop),
                    Errno::result(set(libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT)).map(drop),
                    Errno::result(set(libc::IPPROTO_TCP, libc::TCP_ULP)).map(drop),
                    Errno::result(set(libc::SOL_SOCKET, libc::SO_BINDTODEVICE)).map(drop),
                ];
                let listed = Errno::result(set(libc::SOL_SOCKET, libc::SO_KEEPALIVE)).map(drop);
                libc::close(socket);
                (outcomes, listed)
            }
        });
        assert_eq!(outcomes, ([Err(Errno::ENOSYS); 6], Ok(())));
    }

    #[test]
    fn devices_get_only_listed_requests() {
        /// `TIOCSTI`, `TIOCLINUX` (typing), `TIOCMSET`, `SIOCGIFCONF`, `TUNSETIFF`, `KVM_CREATE_VM`, `FS_IOC_SETFLAGS`,
        /// `USBDEVFS_SETCONFIGURATION`, `USBDEVFS_CONTROL`, `RNDCLEARPOOL`.
        const UNLISTED: [c_ulong; 10] =
            [0x5412, 0x541c, 0x5418, 0x8912, 0x4004_54ca, 0xae01, 0x4008_6602, 0x8004_5505, 0xc018_5500, 0x5206];
        // SAFETY: without an open descriptor the kernel touches no memory.
        let ask = |request| Errno::result(unsafe { libc::ioctl(-1, request, 0) }).map(drop);
        let (unlisted, listed) = confined(Of::Daemon(Reach::Names), move || (UNLISTED.map(ask), ask(libc::TCGETS)));
        assert_eq!((unlisted, listed), ([Err(Errno::ENOSYS); 10], Err(Errno::EBADF)));
    }

    #[test]
    fn memory_is_executable_only_to_resolve_names() {
        // SAFETY: new memory at an address of the kernel's choice; it is never used.
        let map = |protection| unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            libc::mmap(ptr::null_mut(), 4096, protection, flags, -1, 0) != libc::MAP_FAILED
        };
        for reach in ALL_REACHES {
            let [code, both, data] = confined(Of::Daemon(reach), move || {
                [libc::PROT_EXEC, libc::PROT_EXEC | libc::PROT_WRITE, libc::PROT_WRITE].map(map)
            });
            assert_eq!((code, both, data), (reach == Reach::Names, false, true), "{reach}");
        }
    }

    #[test]
    fn the_crediting_thread_can_open_no_file() {
        let refused =
            confined(Of::Creditor, || File::open("/dev/urandom").map(drop).map_err(|error| error.raw_os_error()));
        assert_eq!(refused, Err(Some(libc::ENOSYS)));
    }

    #[test]
    fn starting_a_program_ends_the_process() {
        let name = "confine::filter::tests::starting_a_program_ends_the_process";
        if std::env::var_os(AS_ATTACKER).is_some() {
            install(Of::Daemon(Reach::Nothing)).expect("a filter");
            use std::os::unix::process::CommandExt as _;
            panic!("it was refused and no more: {}", Command::new("/bin/true").exec());
        }
        let mut attacker = Command::new(std::env::current_exe().expect("this test"));
        let output = attacker.args(["--exact", name, "--test-threads=1"]).env(AS_ATTACKER, "1").output();
        let output: io::Result<_> = output;
        let status = output.expect("it was run").status;
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{status}");
    }
}
