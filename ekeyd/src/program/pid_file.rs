//! The file with the process's number, for init scripts and monitoring programs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

/// A pid file that is open for writing.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
}

/// The pid file cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; name a path that this user can write to as the pid file", path.display())]
pub(crate) struct PidFileError {
    path: PathBuf,
    source: io::Error,
}

impl PidFile {
    /// Creates or empties the file, mode 0644. Rejects links and special files: the program runs as root, and another user may have
    /// put one there.
    ///
    /// # Errors
    /// [`PidFileError`] names the path and the reason.
    pub(crate) fn make(path: PathBuf) -> Result<Self, PidFileError> {
        match open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(PidFileError { path, source }),
        }
    }

    /// Writes this process's number.
    ///
    /// # Errors
    /// [`PidFileError`] names the path and the reason.
    pub(crate) fn write(&mut self) -> Result<(), PidFileError> {
        writeln!(self.file, "{}", std::process::id()).map_err(|source| PidFileError { path: self.path.clone(), source })
    }

    /// Removes the file. Where only root may do that and this process is not root any more, empties it: then it names no process.
    pub(crate) fn remove(self) {
        if fs::remove_file(&self.path).is_err() {
            // Nothing is left to try.
            let _ = self.file.set_len(0);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = OpenOptions::new().write(true).create(true).truncate(false).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() > 1 {
        return Err(io::Error::other("this is not a pid file"));
    }
    file.set_len(0)?;
    // Monitoring programs of any user read it.
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_process_and_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        fs::write(&path, "an older and longer one\n").unwrap();
        let mut pid_file = PidFile::make(path.clone()).unwrap();
        pid_file.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o644);
        pid_file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, path) = (folder.path().join("victim"), folder.path().join("pid"));
        fs::write(&victim, "whole").unwrap();
        for plant in [std::os::unix::fs::symlink, fs::hard_link::<&PathBuf, &PathBuf>] {
            plant(&victim, &path).unwrap();
            let error = PidFile::make(path.clone()).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
            assert_eq!(fs::read_to_string(&victim).unwrap(), "whole");
            fs::remove_file(&path).unwrap();
        }
    }
}
