//! The project's own files.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the folder of the workspace.
///
/// # Panics
/// When the harness has moved out of it.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the harness is a folder of the workspace").to_owned()
}

/// Returns every `.rs` file below `folder`, outside of `target` and of hidden folders, sorted.
///
/// # Panics
/// When a folder cannot be read.
#[must_use]
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files_ending(folder, &[".rs"])
}

/// Returns every file below `folder` with one of these endings, outside of `target` and of hidden folders, sorted.
///
/// # Panics
/// When a folder cannot be read.
#[must_use]
pub fn files_ending(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{} cannot be read: {error}", folder.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files_ending(&path, endings));
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns a file's text without its comments of whole lines, each line with its number from 1.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn code_lines(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number, line.to_owned()))
        .collect()
}
