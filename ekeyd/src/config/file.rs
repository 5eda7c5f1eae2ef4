//! `[file]`: writing to a file, a pipe or the standard output.

use std::path::{Path, PathBuf};

use ekey_control::path::check_path;

use super::table::Table;
use super::{Claim, Resource, Section};

/// The `path` that means the standard output.
const STANDARD_OUTPUT: &str = "-";

/// `[file]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// A file or a pipe, absolute, or `-` for the standard output.
    pub path: PathBuf,
    /// The most bytes to write; no limit if `None`.
    pub max_bytes: Option<u64>,
}

impl Section for File {
    const NAME: &'static str = "file";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        table.required("path", "an absolute path, or \"-\"");
        let path = table.path("path", check_output);
        let max_bytes = table.number("max-bytes", 1..=i64::MAX.unsigned_abs());
        Some(Self { path: path?, max_bytes })
    }

    fn claims(&self) -> Vec<Claim> {
        let is_file = self.path != Path::new(STANDARD_OUTPUT);
        is_file.then(|| Self::claim("path", Resource::Write(self.path.clone()))).into_iter().collect()
    }
}

fn check_output(path: &Path) -> Result<(), String> {
    if path == Path::new(STANDARD_OUTPUT) { Ok(()) } else { check_path(path) }
}
