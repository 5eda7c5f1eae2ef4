//! The parts of a guest that `tests/fetch-guest` has fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::architecture::Architecture;
use crate::binaries::target_folder;

/// Returns a part that was fetched for this machine's architecture, such as `tools`.
///
/// # Panics
/// When it is not there.
pub(super) fn part(name: &str) -> PathBuf {
    part_for(Architecture::X86_64, name)
}

/// Returns a part that was fetched for an architecture, such as `vmlinux`.
///
/// # Panics
/// When it is not there.
pub(super) fn part_for(architecture: Architecture, name: &str) -> PathBuf {
    let path = folder(architecture).join(name);
    let option = match architecture {
        Architecture::X86_64 => "",
        Architecture::Aarch64 => " --arm64",
    };
    assert!(path.exists(), "{} is missing: run tests/fetch-guest{option}", path.display());
    path
}

/// Returns the folder of all that was fetched for an architecture; what is made of it may be kept there too.
pub(super) fn folder(architecture: Architecture) -> PathBuf {
    let all = target_folder().join("guest");
    match architecture {
        Architecture::X86_64 => all,
        Architecture::Aarch64 => all.join("arm64"),
    }
}

/// Returns the kernel's release, such as `6.1.0-56-amd64`.
///
/// # Panics
/// When it was not fetched.
pub(super) fn release(architecture: Architecture) -> String {
    let path = part_for(architecture, "release");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.trim().to_owned()
}

/// Returns a command that runs the fetched QEMU with the libraries that were fetched with it.
///
/// # Panics
/// When it was not fetched.
pub(super) fn qemu(architecture: Architecture) -> Command {
    let (tree, program) = architecture.qemu();
    let libraries = part(&format!("{tree}/usr/lib/x86_64-linux-gnu"));
    let data = part(&format!("{tree}/usr/share"));
    let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
    command
        .args([Path::new("--library-path"), &libraries, &part(&format!("{tree}/usr/bin/{program}"))])
        .env("QEMU_MODULE_DIR", libraries.join("qemu"))
        .args([Path::new("-L"), &data.join("qemu"), Path::new("-L"), &data.join("seabios")]);
    command
}

/// Returns a command that runs a program of the guest's Debian, such as `usr/bin/systemd-analyze`, on this machine,
/// with its libraries of the guest.
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

/// Returns a folder of the guest's Debian, such as `usr/lib/systemd/system`.
///
/// # Panics
/// When it was not fetched.
#[must_use]
pub fn system_folder(path: &str) -> PathBuf {
    part("system").join(path)
}

/// Returns a file or folder of Debian for arm64, such as `usr/bin/gdb`.
///
/// # Panics
/// When it was not fetched.
#[must_use]
pub fn arm64_file(path: &str) -> PathBuf {
    part_for(Architecture::Aarch64, "system").join(path)
}
