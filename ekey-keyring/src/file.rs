//! The keyring as a file: read with suspicion, and written so that whoever reads it finds the old one or the new one, whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use crate::{KeyringError, owner};

/// A keyring larger than this, in bytes, is none.
const MOST_BYTES: u64 = 1024 * 1024;
/// What a keyring may grow by in one change, in bytes: a line, and the end of the line before.
const GROWTH: usize = 128;

/// Reads the file at `path`, unless others could have read or written it.
///
/// # Errors
/// Any [`KeyringError`] about a file that cannot be trusted or read.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyringError::Missing { path: path.to_owned() },
        _ => KeyringError::Unreadable { path: path.to_owned(), source },
    };
    // Without waiting, or a pipe that nobody writes would hang the program.
    let nonblocking = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let mut file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    let path = path.to_owned();
    let mode = found.mode() & 0o7777;
    if !found.is_file() {
        return Err(KeyringError::NotAFile { path });
    }
    if !owner::is_trusted(found.uid()) {
        return Err(KeyringError::Foreign { path, uid: found.uid() });
    }
    if mode & 0o077 != 0 {
        return Err(KeyringError::Exposed { path, mode });
    }
    if found.len() > MOST_BYTES {
        return Err(KeyringError::TooLarge { path });
    }
    // One buffer that never has to move, which would leave a copy behind; one byte more than is due, to see the end.
    let mut text = Zeroizing::new(vec![0; usize::try_from(found.len()).unwrap_or(0) + 1]);
    let mut count = 0;
    loop {
        match file.read(text.get_mut(count..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(fresh) => count += fresh,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(KeyringError::Unreadable { path, source }),
        }
    }
    if count == text.len() {
        return Err(KeyringError::TooLarge { path });
    }
    text.truncate(count);
    Ok(text)
}

/// A file beside the keyring that takes its place when it is whole. Dropping it before that removes it.
pub(crate) struct NewFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    placed: bool,
}

impl NewFile {
    /// Makes it beside `target`, mode 0600, belonging to whom `target` does (or to the daemon's user), with room for as many bytes as `text` may become
    /// by one change: a folder that cannot be written, or a full disk, shows here, before anything has happened.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(crate) fn beside(target: &Path, text: &[u8]) -> io::Result<Self> {
        let (file, path) = new_file_beside(target)?;
        let mut new = Self { file, path, target: target.to_owned(), placed: false };
        owner::hand_over(&new.file, fs::metadata(target).ok().as_ref())?;
        new.file.write_all(&vec![b'#'; text.len() + GROWTH])?;
        new.file.sync_all()?;
        Ok(new)
    }

    /// Writes `text` and puts the file in the keyring's place.
    ///
    /// # Errors
    /// Whatever the system says; then the old keyring is untouched.
    pub(crate) fn place(mut self, text: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(text)?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.placed = true;
        File::open(folder_of(&self.target))?.sync_all()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed holds no key, or a new one that its key has not taken.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The folder that `path` is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn new_file_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let mut attempts = 0;
    loop {
        // A number that is taken is left over from a crash, or somebody else's of this moment.
        let new = path.with_file_name(format!(".{name}.{}-{attempts}.new", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < 100 => attempts += 1,
            outcome => return outcome.map(|file| (file, new)),
        }
    }
}
