//! Finds the programs under test: the release builds in the target folder of the running test, or the debug builds for
//! a debug test.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the path of a program that this workspace builds, such as `ekeyd`.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let own = profile_folder();
    // The tests have their own profile, quicker to build than the programs'.
    let path = if own.ends_with("debug") { own } else { target_folder().join("release") }.join(name);
    assert!(
        path.is_file(),
        "{} is missing: run tests/run, or cargo build --release --workspace --bins",
        path.display()
    );
    path
}

/// Returns a command that runs a program of this workspace.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn command(name: &str) -> Command {
    Command::new(built(name))
}

/// Returns the target folder itself, which also holds the original programs (`peers/root`).
///
/// # Panics
/// When the test is not run from a target folder.
#[must_use]
pub fn target_folder() -> PathBuf {
    parent_of(&profile_folder())
}

/// Returns `target/release` or `target/debug`: a test runs from `deps/` in it, a program from the folder itself.
fn profile_folder() -> PathBuf {
    let running = std::env::current_exe().expect("a running program has a path");
    let folder = parent_of(&running);
    if folder.ends_with("deps") { parent_of(&folder) } else { folder }
}

fn parent_of(path: &Path) -> PathBuf {
    path.parent().expect("a test runs from inside a target folder").to_owned()
}
