//! A file that a verb writes: whole or not at all, and never over another one without `--force`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// Who may read the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Only its owner: it holds entropy.
    Owner,
    /// Whom the umask allows.
    All,
}

/// A file being written. Unless it is finished, dropping it removes it. `-` is standard output.
pub(crate) struct NewFile {
    /// As the person named it.
    path: PathBuf,
    /// Where the bytes go until it is finished; `None` for standard output.
    open: Option<(PathBuf, File)>,
    is_finished: bool,
}

impl NewFile {
    /// Creates the file. With `force`, an existing one stays until the new one is whole.
    ///
    /// # Errors
    /// [`Problem::Unmade`].
    pub(crate) fn create(path: &Path, readers: Readers, force: bool) -> Result<Self, Problem> {
        let unmade = |source| Problem::Unmade { path: path.to_owned(), source };
        let named = |open| Self { path: path.to_owned(), open, is_finished: false };
        if path == Path::new("-") {
            return Ok(named(None));
        }
        let mut how = OpenOptions::new();
        how.write(true).create_new(true).mode(if readers == Readers::Owner { 0o600 } else { 0o666 });
        let replaces = force && fs::symlink_metadata(path).is_ok();
        let place = match path.file_name().filter(|_| replaces) {
            Some(name) => {
                let mut hidden = std::ffi::OsString::from(".");
                hidden.push(name);
                hidden.push(format!(".{}", std::process::id()));
                path.with_file_name(hidden)
            }
            None => path.to_owned(),
        };
        if replaces && !fs::symlink_metadata(path).map_err(unmade)?.is_file() {
            return Err(unmade(io::Error::other("it is not a regular file")));
        }
        let file = how.open(&place).map_err(unmade)?;
        Ok(named(Some((place, file))))
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// [`Problem::Unwritten`], or [`Problem::Output`] for standard output.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        match &mut self.open {
            None => io::stdout().lock().write_all(bytes).map_err(Problem::from),
            Some((_, file)) => file.write_all(bytes).map_err(|source| self.unwritten(source)),
        }
    }

    /// Keeps the file under its name.
    ///
    /// # Errors
    /// As [`NewFile::write`].
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let finished = match &self.open {
            None => return io::stdout().flush().map_err(Problem::from),
            Some((place, _)) if *place == self.path => Ok(()),
            Some((place, _)) => fs::rename(place, &self.path),
        };
        finished.map_err(|source| self.unwritten(source))?;
        self.is_finished = true;
        Ok(())
    }

    fn unwritten(&self, source: io::Error) -> Problem {
        Problem::Unwritten { path: self.path.clone(), source }
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some((place, _)) = self.open.as_ref().filter(|_| !self.is_finished) {
            // If even that fails, the error that is being reported says enough.
            let _ = fs::remove_file(place);
        }
    }
}

/// Writes a whole file.
///
/// # Errors
/// As [`NewFile`].
pub(crate) fn write(path: &Path, readers: Readers, force: bool, bytes: &[u8]) -> Result<(), Problem> {
    let mut file = NewFile::create(path, readers, force)?;
    file.write(bytes)?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let mut dropped = NewFile::create(&path, Readers::Owner, false).unwrap();
        dropped.write(b"half").unwrap();
        drop(dropped);
        assert_eq!(names(), 0);
        write(&path, Readers::Owner, false, b"first").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(write(&path, Readers::All, false, b"second"), Err(Problem::Unmade { .. })));
        let mut dropped = NewFile::create(&path, Readers::Owner, true).unwrap();
        dropped.write(b"half").unwrap();
        drop(dropped);
        assert_eq!((fs::read(&path).unwrap(), names()), (b"first".to_vec(), 1));
        write(&path, Readers::All, true, b"second").unwrap();
        assert_eq!((fs::read(&path).unwrap(), names()), (b"second".to_vec(), 1));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut file = NewFile { path: "/dev/full".into(), open: None, is_finished: false };
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        file.open = Some(("/nonexistent/full".into(), full));
        assert!(matches!(file.write(b"x"), Err(Problem::Unwritten { .. })));
    }
}
