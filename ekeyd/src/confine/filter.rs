//! Restricts the daemon's system calls by seccomp(2), on the architectures whose calls [`super::calls`] lists.
//!
//! A call that is not listed fails with ENOSYS, as on an older kernel, and the kernel logs it. A newer C library then falls back to
//! the older call, and the log shows which call to add. Calls that only an attacker makes, such as execve, ptrace and mount, end the
//! process.
#![cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    expect(unsafe_code, reason = "seccomp with flags takes a pointer to the filter")
)]

/// Says which thread's calls to filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// All threads but the creditor.
    Daemon,
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
    use std::collections::BTreeMap;
    use std::io;

    use nix::libc;
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

    use super::super::calls::{self, Rules};
    use super::Of;

    const ARCH: TargetArch = if cfg!(target_arch = "x86_64") { TargetArch::x86_64 } else { TargetArch::aarch64 };
    /// `SECCOMP_SET_MODE_FILTER`, and the flag that logs rejected calls. The libc crate does not define them for every target.
    const SET_MODE_FILTER: libc::c_long = 1;
    const LOG: libc::c_long = 2;

    pub(in super::super) fn install(whose: Of) -> Result<(), String> {
        let listed = match whose {
            Of::Daemon => calls::daemon(),
            Of::Creditor => calls::creditor(),
        };
        let refused = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
        // A filter sees the flags of clone(2), but not those of clone3(2). So clone3 fails and the C library uses clone. This filter
        // does not log, because every new thread tries clone3 first.
        let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        load(compile(Ok(clone3), SeccompAction::Allow, refused.clone())?, 0)?;
        load(compile(calls::attacks(), SeccompAction::Allow, SeccompAction::KillProcess)?, LOG)?;
        load(compile(listed, refused, SeccompAction::Allow)?, LOG)
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
    use std::thread;

    use super::{Of, install};

    /// Tells this test's child process to play the attacker.
    const AS_ATTACKER: &str = "EKEYD_TEST_EXECUTES";

    fn confined<T: Send + 'static>(whose: Of, act: impl FnOnce() -> T + Send + 'static) -> T {
        let thread = thread::spawn(move || {
            install(whose).expect("a filter");
            act()
        });
        thread.join().expect("it goes on")
    }

    #[test]
    fn unlisted_calls_fail_and_listed_ones_work() {
        let (read, started, listened, folder) = confined(Of::Daemon, || {
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
            assert_eq!(refused.map_err(|error| error.raw_os_error()), Err(Some(nix::libc::ENOSYS)));
        }
    }

    #[test]
    fn the_crediting_thread_can_open_no_file() {
        let refused =
            confined(Of::Creditor, || File::open("/dev/urandom").map(drop).map_err(|error| error.raw_os_error()));
        assert_eq!(refused, Err(Some(nix::libc::ENOSYS)));
    }

    #[test]
    fn starting_a_program_ends_the_process() {
        let name = "confine::filter::tests::starting_a_program_ends_the_process";
        if std::env::var_os(AS_ATTACKER).is_some() {
            install(Of::Daemon).expect("a filter");
            use std::os::unix::process::CommandExt as _;
            panic!("it was refused and no more: {}", Command::new("/bin/true").exec());
        }
        let mut attacker = Command::new(std::env::current_exe().expect("this test"));
        let output = attacker.args(["--exact", name, "--test-threads=1"]).env(AS_ATTACKER, "1").output();
        let output: io::Result<_> = output;
        let status = output.expect("it was run").status;
        assert_eq!(status.signal(), Some(nix::libc::SIGSYS), "{status}");
    }
}
