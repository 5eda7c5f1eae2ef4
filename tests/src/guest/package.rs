//! The Debian package that `packaging/build` has made, and a guest that can install it.

use std::fs;
use std::path::{Path, PathBuf};

use super::Booted;
use super::plan::Guest;
use crate::binaries;
use crate::software_key::{LONG_TERM_KEY, SERIAL};

/// Does the same as [`installed`](super::installed) with the package, by dpkg.
///
/// # Panics
/// When there is no package, the guest does not boot, or dpkg fails.
#[must_use]
pub fn installed_package(guest: Guest, config: &str) -> Booted {
    let guest = with_dpkg(guest)
        .file("/root/entropykey.deb", &package())
        .file("/usr/sbin/ekey-sim", &binaries::built("ekey-sim"))
        .text("/etc/entropykey/ekeyd.toml", config, 0o644)
        .text("/etc/entropykey/keyring", &format!("{SERIAL} {LONG_TERM_KEY}\n"), 0o600)
        .text("/root/ltk", &format!("{LONG_TERM_KEY}\n"), 0o600);
    let mut guest = guest.boot();
    guest.check("dpkg -i /root/entropykey.deb && systemd-sysusers");
    guest
}

/// Returns the package of this architecture.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn package() -> PathBuf {
    made_in(&binaries::target_folder().join("packages"), "_amd64.deb", "packaging/build --arch x86_64")
}

/// Returns the package in `folder` whose name ends like that; `made_by` is the command that makes it.
///
/// # Panics
/// When it does not exist.
#[must_use]
pub fn made_in(folder: &Path, ending: &str, made_by: &str) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}: run {made_by}", folder.display()));
    let mut found = entries.flatten().map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(ending));
    found.next().unwrap_or_else(|| panic!("{} has no *{ending}: run {made_by}", folder.display()))
}

/// Adds what installs packages, and a database that lists the system's own.
///
/// # Panics
/// When that was not fetched.
#[must_use]
pub fn with_dpkg(guest: Guest) -> Guest {
    with_fetched(guest, "dpkg")
}

/// Adds the programs of a tree that `tests/fetch-guest` has fetched, and memory for them.
///
/// # Panics
/// When that was not fetched.
#[must_use]
pub fn with_fetched(guest: Guest, tree: &str) -> Guest {
    let tree = binaries::target_folder().join("guest").join(tree);
    assert!(tree.exists(), "{} is missing: run packaging/test", tree.display());
    ["usr", "etc", "var"]
        .into_iter()
        .fold(guest.memory(2048), |guest, folder| guest.file(&format!("/{folder}"), &tree.join(folder)))
}
