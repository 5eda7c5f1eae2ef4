//! Reads the keyring file if it is safe.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use crate::KeyringError;
use crate::owner::{DaemonUser, Untrusted};

/// The largest keyring, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// Reads the file at `path`. Refuses it if others could have read or written it.
///
/// # Errors
/// Any [`KeyringError`] about a file that is unsafe or unreadable.
pub(crate) fn read(path: &Path, daemon: &DaemonUser) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    // Open without waiting: a pipe without a writer would block.
    let nonblocking = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let file = file.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyringError::Missing { path: path.to_owned() },
        _ => KeyringError::Unreadable { path: path.to_owned(), source },
    })?;
    read_open(file, path, daemon)
}

/// Reads an open file. Only errors use its path.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_open(mut file: File, path: &Path, daemon: &DaemonUser) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let path = path.to_owned();
    let found = match file.metadata() {
        Ok(found) => found,
        Err(source) => return Err(KeyringError::Unreadable { path, source }),
    };
    if !found.is_file() {
        return Err(KeyringError::NotAFile { path });
    }
    match daemon.check_secret(&found) {
        Ok(()) => {}
        Err(Untrusted::Foreign { uid }) => return Err(KeyringError::Foreign { path, uid }),
        Err(Untrusted::Exposed { mode }) => return Err(KeyringError::Exposed { path, mode }),
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
