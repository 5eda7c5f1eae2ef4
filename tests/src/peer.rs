//! A test that runs a part of itself as another user: the peer without rights.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::daemon::Daemon;
use crate::program::Program;
use crate::scratch::Scratch;

/// Tells a run of a test that it is the peer, and where the daemon's control socket is.
const AS_PEER: &str = "EKEY_TESTS_PEER_OF";
/// The user and group `nobody`.
pub const NOBODY: u32 = 65_534;

/// Returns the daemon's control socket if this process is the peer.
#[must_use]
pub fn as_peer() -> Option<PathBuf> {
    std::env::var_os(AS_PEER).map(PathBuf::from)
}

/// Whether tests can run programs as another user.
#[must_use]
pub fn is_possible() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Opens the sockets to all users, and returns a command that runs `test` of this program as the peer.
///
/// # Panics
/// When the program cannot be copied.
#[must_use]
pub fn command(test: &str, sockets: &[&Path], daemon: &Daemon, scratch: &Scratch) -> Command {
    let opened = sockets.iter().map(|socket| (*socket, 0o666)).chain([(scratch.folder(), 0o711)]);
    for (path, mode) in opened {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of its own");
    }
    // The target folder may be closed to other users. Another program makes the copy: a file that this process has open
    // cannot be run.
    let copy = scratch.path("peer");
    let mut install = Command::new("install");
    install.args(["-m", "755"]).arg(std::env::current_exe().expect("it runs")).arg(&copy);
    assert_eq!(Program::run("install", install, scratch).code, Some(0));
    let mut peer = Command::new(copy);
    peer.args(["--exact", test, "--nocapture"]);
    peer.env(AS_PEER, &daemon.control).current_dir("/").uid(NOBODY).gid(NOBODY);
    peer
}
