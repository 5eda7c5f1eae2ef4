//! Where `tests/fetch-guest` has put the parts of a guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binaries::target_folder;

/// A part of what was fetched, such as `vmlinux`.
///
/// # Panics
/// When it is not there.
pub(super) fn part(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.exists(), "{} is missing: run tests/fetch-guest", path.display());
    path
}

/// The folder of all that was fetched, where what is made of it may be kept as well.
pub(super) fn folder() -> PathBuf {
    target_folder().join("guest")
}

/// The kernel's release, such as `6.1.0-56-amd64`.
///
/// # Panics
/// When it was not fetched.
pub(super) fn release() -> String {
    let path = part("release");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.trim().to_owned()
}

/// A command that runs the fetched QEMU with the libraries that were fetched with it, whatever the machine has.
///
/// # Panics
/// When it was not fetched.
pub(super) fn qemu() -> Command {
    let libraries = part("tools/usr/lib/x86_64-linux-gnu");
    let data = part("tools/usr/share");
    let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
    command
        .args([Path::new("--library-path"), &libraries, &part("tools/usr/bin/qemu-system-x86_64")])
        .env("QEMU_MODULE_DIR", libraries.join("qemu"))
        .args([Path::new("-L"), &data.join("qemu"), Path::new("-L"), &data.join("seabios")]);
    command
}

/// A command that runs a program of the guest's Debian, such as `usr/bin/systemd-analyze`, on this machine, with the
/// libraries that it has in the guest.
///
/// # Panics
/// When it was not fetched.
#[must_use]
pub fn system_program(path: &str) -> Command {
    let libraries = part("system/usr/lib/x86_64-linux-gnu");
    let folders = std::env::join_paths([&libraries, &libraries.join("systemd")]).expect("no colon in their names");
    let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(folders).arg(part("system").join(path));
    command
}

/// A folder of the guest's Debian, such as `usr/lib/systemd/system`.
///
/// # Panics
/// When it was not fetched.
#[must_use]
pub fn system_folder(path: &str) -> PathBuf {
    part("system").join(path)
}
