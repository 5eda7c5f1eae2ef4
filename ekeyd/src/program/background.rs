//! Going into the background, daemon(7), as init scripts expect of the original's programs.
//!
//! The foreground process ends when the one in the background is ready, with 0, or has failed, with 1. Until then both have the
//! same stderr, so that an error at the start is seen where the command was typed.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe, setsid};

use super::pid_file::{PidFile, PidFileError};
use crate::daemon::DaemonError;

/// Which of the two processes this is.
pub(crate) enum Side {
    /// The one that was started. End with this code.
    Foreground(ExitCode),
    /// The one that goes on.
    Background(Background),
}

/// The process in the background, not yet ready.
pub(crate) struct Background {
    /// The foreground process waits for its end.
    _starting: OwnedFd,
    ready: OwnedFd,
}

/// Continues in a process of its own. Call it before the first thread starts: fork(2) copies only the calling one.
///
/// # Errors
/// The system cannot start a process.
pub(crate) fn go() -> io::Result<Side> {
    let (watched, ready) = pipe()?;
    #[expect(unsafe_code, reason = "fork(2) has no safe form; no other thread runs yet, so the copy is whole")]
    // SAFETY: the caller has started no thread, so no lock is held and no memory is half written in the copy.
    let forked = unsafe { fork() }?;
    match forked {
        ForkResult::Parent { .. } => {
            drop(ready);
            let mut said = [0];
            let is_ready = std::fs::File::from(watched).read_exact(&mut said).is_ok();
            Ok(Side::Foreground(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
        }
        ForkResult::Child => {
            setsid()?;
            std::env::set_current_dir("/")?;
            Ok(Side::Background(Background { _starting: watched, ready }))
        }
    }
}

impl Background {
    /// Writes the pid file, lets the foreground process end with success, and leaves its terminal. Returns the pid file, to remove it
    /// at the end.
    ///
    /// # Errors
    /// The pid file cannot be written.
    pub(crate) fn ready(self, mut pid_file: PidFile) -> Result<PidFile, PidFileError> {
        // Init scripts read it as soon as the foreground process has ended.
        pid_file.write()?;
        if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
            let _ = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
        }
        // If that process is gone, no one waits.
        let _ = nix::unistd::write(&self.ready, b"!");
        Ok(pid_file)
    }
}

/// Makes a path of the command line absolute, because the background process has another working directory.
///
/// # Errors
/// The path is empty, or there is no working directory.
pub(crate) fn absolute(path: &OsString) -> Result<PathBuf, lexopt::Error> {
    std::path::absolute(path).map_err(|error| format!("`{}`: {error}", path.display()).into())
}

/// Logs how the daemon ended. Returns its exit code.
pub(crate) fn code_of(ended: Result<(), DaemonError>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In the background stderr is /dev/null.
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
