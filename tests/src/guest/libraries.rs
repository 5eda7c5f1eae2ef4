//! Finds the shared libraries that a program of this machine needs, so that it runs in a guest that has none.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder in the guest that its dynamic loader always searches.
const SEARCHED: &str = "/usr/lib/x86_64-linux-gnu";

/// Returns what a program loads: path in the guest and file on this machine, the loader included.
///
/// `own` are folders with libraries of its own. A script or a static program needs nothing.
///
/// # Panics
/// When a library cannot be found, or `ldd` cannot be run.
pub(super) fn needed_by(program: &Path, own: &[PathBuf]) -> Vec<(String, PathBuf)> {
    if !is_elf(program) {
        return Vec::new();
    }
    let path = std::env::join_paths(own).expect("a library's folder has no colon in its name");
    let mut command = Command::new("ldd");
    command.arg(program).env("LC_ALL", "C");
    if !own.is_empty() {
        command.env("LD_LIBRARY_PATH", path);
    }
    let output = command.output().unwrap_or_else(|error| panic!("ldd cannot be run: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| placed(line, program)).collect()
}

/// Returns where the library of one of ldd's lines goes: `name => path (address)`, or `path (address)` for the loader.
fn placed(line: &str, program: &Path) -> Option<(String, PathBuf)> {
    assert!(!line.contains("not found"), "{} lacks a library: {}", program.display(), line.trim());
    let (named, _address) = line.trim().rsplit_once(" (")?;
    match named.split_once(" => ") {
        Some((name, path)) => Some((format!("{SEARCHED}/{name}"), PathBuf::from(path))),
        // The kernel's vDSO has no path; the loader has only one, written into each program.
        None => named.starts_with('/').then(|| (format!("/usr{named}"), PathBuf::from(named))),
    }
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}
