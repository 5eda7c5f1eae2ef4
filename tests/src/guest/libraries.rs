//! Which shared libraries a program of this machine needs, so that it runs in a guest that has none of its own.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder in the guest that its dynamic loader searches without being told.
const SEARCHED: &str = "/usr/lib/x86_64-linux-gnu";

/// What a program loads: the path in the guest and the file on this machine, the loader included.
///
/// `own` are folders that hold libraries of its own. Nothing for a script or a static program.
///
/// # Panics
/// When a library is nowhere to be found, or `ldd` cannot be run.
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

/// Where the library of one line of ldd's goes: `name => path (address)`, or `path (address)` for the loader.
fn placed(line: &str, program: &Path) -> Option<(String, PathBuf)> {
    assert!(!line.contains("not found"), "{} lacks a library: {}", program.display(), line.trim());
    let (named, _address) = line.trim().rsplit_once(" (")?;
    match named.split_once(" => ") {
        Some((name, path)) => Some((format!("{SEARCHED}/{name}"), PathBuf::from(path))),
        // The kernel's own vDSO has no path; the loader has nothing but one, written into each program.
        None => named.starts_with('/').then(|| (format!("/usr{named}"), PathBuf::from(named))),
    }
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}
