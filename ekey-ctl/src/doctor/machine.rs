//! A machine as files: `/proc`, `/sys`, `/etc`, `/dev`, `/run` and `/lib`, all below one folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much to read of one file, in bytes. The list of a kernel's modules has about two million.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
const MOST_PROCESSES: usize = 65_536;

/// The machine to check.
pub(crate) struct Machine {
    root: PathBuf,
}

/// A running program.
pub(super) struct Process {
    pub(super) pid: u32,
    /// The first 15 bytes of its name.
    pub(super) name: String,
}

impl Machine {
    /// Makes the machine whose files are below `root`; `/` is this one.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Maps a path of that machine to this one. A relative path starts at the root.
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Maps a path below the root to that machine's name for it.
    pub(super) fn name_of(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        format!("/{}", inside.strip_prefix("/").unwrap_or(inside).display())
    }

    /// Reads a file, trimmed, with invalid UTF-8 replaced. Returns `None` if it cannot be read.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(self.path(path)).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    pub(super) fn is_there(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// Lists all programs that this user may see.
    pub(super) fn processes(&self) -> Vec<Process> {
        let Ok(entries) = fs::read_dir(self.path("proc")) else { return Vec::new() };
        let process = |pid: u32| Some(Process { pid, name: self.text(format!("proc/{pid}/comm"))? });
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(process).take(MOST_PROCESSES).collect()
    }
}
