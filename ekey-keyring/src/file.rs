//! Reads the keyring file if it is safe, and replaces it so that a reader finds the whole old one or the whole new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use crate::{KeyringError, owner};

/// The largest keyring, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;
/// Most bytes that one change adds: a line, and the end of the line before.
const GROWTH: usize = 128;

/// Reads the file at `path`. Refuses it if others could have read or written it.
///
/// # Errors
/// Any [`KeyringError`] about a file that is unsafe or unreadable.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyringError::Missing { path: path.to_owned() },
        _ => KeyringError::Unreadable { path: path.to_owned(), source },
    };
    // Open without waiting: a pipe without a writer would block.
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
    // One buffer that never moves, because moving would leave a copy of the keys behind. One byte more, to see the end.
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

/// A file next to the keyring that replaces it when complete. Dropping it before that removes it.
pub(crate) struct NewFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    placed: bool,
}

impl NewFile {
    /// Makes the file next to `target`, with mode 0600, the owner of `target` (or the daemon's user), and room for
    /// `text` after one change. An unwritable folder or a full disk shows here, before anything has happened.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn next_to(target: &Path, text: &[u8]) -> io::Result<Self> {
        let (file, path) = new_file_next_to(target)?;
        let mut new = Self { file, path, target: target.to_owned(), placed: false };
        owner::hand_over(&new.file, fs::metadata(target).ok().as_ref())?;
        new.file.write_all(&vec![b'#'; text.len() + GROWTH])?;
        new.file.sync_all()?;
        Ok(new)
    }

    /// Writes `text` and replaces the keyring by the file.
    ///
    /// # Errors
    /// The system's error. The old keyring is then unchanged.
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
            // If this fails, the file holds no key, or a new one that the device has not taken.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Returns the folder of `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes the new files that crashed programs left next to the keyring, since each may hold its keys. Call it with the lock held:
/// then no other program has one.
pub(crate) fn remove_left_overs(keyring: &Path) {
    let Some(start) = keyring.file_name().map(|name| format!(".{}.", name.to_string_lossy())) else { return };
    for entry in fs::read_dir(folder_of(keyring)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let numbers = name.to_str().and_then(|name| name.strip_prefix(&start)?.strip_suffix(".new"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if numbers.and_then(|numbers| numbers.split_once('-')).is_some_and(|(id, n)| is_number(id) && is_number(n)) {
            // A file that cannot be removed does no harm: the next one gets another number.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn new_file_next_to(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let mut attempts = 0;
    loop {
        // A number may be taken by a file of a crash, or of another thread at this moment.
        let new = path.with_file_name(format!(".{name}.{}-{attempts}.new", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < 100 => attempts += 1,
            outcome => return outcome.map(|file| (file, new)),
        }
    }
}
