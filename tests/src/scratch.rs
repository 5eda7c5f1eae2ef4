//! A folder for each test, removed afterwards unless the test failed.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A temporary folder. When its test fails, the folder stays and its path is printed.
pub struct Scratch {
    folder: Option<TempDir>,
}

impl Scratch {
    /// Makes the folder. Its path is short, so that paths of unix sockets fit (108 bytes).
    ///
    /// # Panics
    /// When there is no room for temporary files.
    #[must_use]
    pub fn make() -> Self {
        let folder = tempfile::Builder::new().prefix("ekey-").tempdir().expect("a temporary folder can be made");
        Self { folder: Some(folder) }
    }

    /// Keeps the folder.
    pub fn keep(mut self) {
        if let Some(folder) = self.folder.take() {
            let _ = folder.keep();
        }
    }

    /// Returns the folder.
    ///
    /// # Panics
    /// Never while the scratch lives.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("it lives until drop").path()
    }

    /// Returns a path inside the folder; makes nothing there.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file with the permission bits `mode` and returns its path.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn write(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        if mode & 0o111 != 0 {
            write_program(&path, content, mode);
            return path;
        }
        fs::write(&path, content).expect("a scratch file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a scratch file's mode can be set");
        path
    }
}

/// Has another program write a file that will be run. A file that this process writes is also open in children that its
/// other threads start meanwhile, and cannot be run until they close it (ETXTBSY of execve(2)).
fn write_program(path: &Path, content: &str, mode: u32) {
    let mut install = Command::new("install");
    let mut child = install
        .args(["-m", &format!("{mode:o}"), "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("install can be run");
    child.stdin.take().expect("a pipe").write_all(content.as_bytes()).expect("install reads");
    assert!(child.wait().expect("it ends").success(), "{} cannot be written", path.display());
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("kept for a look: {}", folder.keep().display());
        }
    }
}
