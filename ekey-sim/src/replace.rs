//! Replaces a file or a link in one step.

use std::path::Path;
use std::{fs, io};

/// Renames what `make` makes at the path that it gets to `path`, so that a reader finds the whole old file or the whole
/// new one.
///
/// # Errors
/// The error of `make` or of the system. The old file is then unchanged.
pub(crate) fn replace(path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    make(&new).and_then(|()| fs::rename(&new, path)).inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })
}
