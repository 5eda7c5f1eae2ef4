//! Changing the keyring: read, change, write, with nobody else in between.
//!
//! The lock is one of flock(2) on the keyring itself, which nobody but its owner can open, and not on a file beside it, which
//! would stay behind. Writing puts a new file in the old one's place, so whoever waited for the lock looks whether the file that
//! it has locked is still the keyring. Who only reads needs no lock: a keyring is replaced whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_proto::{LongTermKey, Serial};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use crate::file::NewFile;
use crate::{Keyring, KeyringError};

/// How long to wait for another program: longer than setting a key's long-term key takes.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
const HEAD: &[u8] = b"# Long-term keys of Entropy Keys: serial number, key. Keep it secret.\n";

/// A change to the keyring that is being made. Dropping it without [`save`](Self::save) leaves everything as it was.
pub struct KeyringEdit {
    keyring: Keyring,
    // Dropped in this order: the new file is removed while the lock is still held.
    new: NewFile,
    lock: Locked,
}

impl KeyringEdit {
    /// Locks the keyring at `path` and reads it, or starts an empty one if there is no such file. Waits up to 30 s for another
    /// program that is changing it.
    ///
    /// The new file is made at once, with room for the change, so that a keyring that cannot be written is known before anything
    /// has happened that must be written down.
    ///
    /// # Errors
    /// Any [`KeyringError`].
    pub fn begin(path: &Path) -> Result<Self, KeyringError> {
        Self::begin_within(path, PATIENCE)
    }

    /// As [`begin`](Self::begin), waiting no longer than `patience`.
    ///
    /// # Errors
    /// Any [`KeyringError`].
    pub fn begin_within(path: &Path, patience: Duration) -> Result<Self, KeyringError> {
        let unwritable = |source| KeyringError::Unwritable { path: path.to_owned(), source };
        // A symbolic link stays one: what it leads to is replaced.
        let target = match fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            found => found.map_err(unwritable)?,
        };
        let lock = Locked::take(&target, Instant::now() + patience)?;
        let keyring = Keyring::load(&target)?;
        let new = NewFile::beside(&target, &keyring.text).map_err(unwritable)?;
        Ok(Self { keyring, new, lock })
    }

    /// The keyring as it will be.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Sets the long-term key of `serial`, in place of any that was there.
    pub fn set(&mut self, serial: Serial, key: LongTermKey) {
        self.keyring.set(serial, key);
    }

    /// Removes the long-term key of `serial`, and returns whether there was one.
    pub fn remove(&mut self, serial: &Serial) -> bool {
        self.keyring.remove(serial)
    }

    /// Writes the keyring, mode 0600, onto the disk: whoever reads it, even after a crash, finds the old one or the new one, whole.
    ///
    /// # Errors
    /// [`KeyringError::Unwritable`]; then the old keyring is untouched.
    pub fn save(self) -> Result<(), KeyringError> {
        let Self { keyring, new, mut lock } = self;
        let Keyring { path, text, .. } = &keyring;
        new.place(text).map_err(|source| KeyringError::Unwritable { path: path.clone(), source })?;
        lock.made = false;
        Ok(())
    }
}

/// A keyring that is locked, or made and locked.
struct Locked {
    file: Flock<File>,
    path: PathBuf,
    /// Whether it was made here and holds nothing yet.
    made: bool,
}

impl Locked {
    fn take(path: &Path, until: Instant) -> Result<Self, KeyringError> {
        let unreadable = |source| KeyringError::Unreadable { path: path.to_owned(), source };
        loop {
            let (file, made) = match open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => match make(path) {
                    // Another program was faster.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    made => (made.map_err(|source| KeyringError::Unwritable { path: path.to_owned(), source })?, true),
                },
                found => (found.map_err(unreadable)?, false),
            };
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => {
                    let locked = Self { file, path: path.to_owned(), made };
                    if locked.is_in_place() {
                        return Ok(locked);
                    }
                }
                Err((_, Errno::EAGAIN | Errno::EINTR)) if Instant::now() < until => sleep(PAUSE),
                Err((_, Errno::EAGAIN)) => return Err(KeyringError::Locked { path: path.to_owned() }),
                Err((_, errno)) => return Err(unreadable(errno.into())),
            }
        }
    }

    /// Whether the locked file is what stands at its path, and not what another program has replaced meanwhile.
    fn is_in_place(&self) -> bool {
        let (Ok(mine), Ok(there)) = (self.file.metadata(), fs::metadata(&self.path)) else { return false };
        (mine.dev(), mine.ino()) == (there.dev(), there.ino())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.made && self.is_in_place() {
            // Where nothing came of the change there is no keyring, as before.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Without waiting, or a pipe that nobody writes would hang the program.
    OpenOptions::new().read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path)
}

/// Makes an empty keyring.
fn make(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(HEAD)?;
    Ok(file)
}
