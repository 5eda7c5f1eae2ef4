//! Changes the keyring file: reads, changes and writes it under a lock.
//!
//! The lock is a flock(2) on the keyring itself, which only its owner can open. A separate lock file would stay behind.
//! Writing replaces the file, so a program that got the lock after waiting checks that its locked file is still the
//! keyring. Readers need no lock, because the keyring is replaced whole.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_proto::{LongTermKey, Serial};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::folder::{Folder, Place};
use crate::new_file::{self, NewFile};
use crate::owner::DaemonUser;
use crate::{Keyring, KeyringError, file};

/// How long to wait for another program. Setting a key's long-term key takes less.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
const HEAD: &[u8] = b"# Long-term keys of Entropy Keys: serial number, key. Keep it secret.\n";

/// An unsaved change to the keyring. Dropping it without [`save`](Self::save) leaves everything as it was.
pub struct KeyringEdit {
    keyring: Keyring,
    // The order of the fields matters: the new file must be removed before the lock is released.
    new: NewFile,
    lock: Locked,
}

impl KeyringEdit {
    /// Locks the keyring at `path` and reads it, or starts an empty one if it does not exist. Waits up to 30 s for
    /// another program that is changing it.
    ///
    /// Makes the new file at once, with room for the change. So an unwritable keyring shows before the caller does
    /// anything that must be recorded, such as setting a key's long-term key.
    ///
    /// Root changes a keyring only where no user but the daemon's can change the folder.
    ///
    /// # Errors
    /// Any [`KeyringError`].
    pub fn begin(path: &Path) -> Result<Self, KeyringError> {
        Self::begin_for(path, &DaemonUser::default())
    }

    /// Does the same as [`begin`](Self::begin) for a daemon that runs as `daemon`, who gets a keyring that root makes.
    ///
    /// # Errors
    /// Any [`KeyringError`].
    pub fn begin_for(path: &Path, daemon: &DaemonUser) -> Result<Self, KeyringError> {
        Self::begin_within(path, daemon, PATIENCE)
    }

    /// Does the same as [`begin_for`](Self::begin_for), but waits no longer than `patience`.
    ///
    /// # Errors
    /// Any [`KeyringError`].
    pub fn begin_within(path: &Path, daemon: &DaemonUser, patience: Duration) -> Result<Self, KeyringError> {
        let Place { folder, name } = Place::of(path)?;
        let target = folder.join(&name);
        let folder = Arc::new(Folder::open(&folder, daemon.owner().map(|(uid, _)| uid))?);
        let lock = Locked::take(&folder, &name, &target, Instant::now() + patience)?;
        let unreadable = |source| KeyringError::Unreadable { path: target.clone(), source };
        let old = folder.read(&name).map_err(unreadable)?;
        let found = old.metadata().map_err(unreadable)?;
        let keyring = Keyring::parse(&target, file::read_open(old, &target, daemon)?)?;
        new_file::remove_left_overs(&name, &folder);
        let new = NewFile::next_to(&name, &folder, &keyring.text, daemon.heir(Some(&found)));
        let new = new.map_err(|source| KeyringError::Unwritable { path: path.to_owned(), source })?;
        Ok(Self { keyring, new, lock })
    }

    /// Returns the keyring as it will be saved.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Sets the long-term key of `serial`, and replaces an existing one.
    pub fn set(&mut self, serial: Serial, key: LongTermKey) {
        self.keyring.set(serial, key);
    }

    /// Removes the long-term key of `serial`. Returns whether there was one.
    pub fn remove(&mut self, serial: &Serial) -> bool {
        self.keyring.remove(serial)
    }

    /// Writes the keyring to disk with mode 0600. A reader finds the whole old one or the whole new one, even after a
    /// crash.
    ///
    /// # Errors
    /// [`KeyringError::Unwritable`]. The old keyring is then unchanged.
    pub fn save(self) -> Result<(), KeyringError> {
        let Self { keyring, new, mut lock } = self;
        let Keyring { path, text, .. } = &keyring;
        new.place(text).map_err(|source| KeyringError::Unwritable { path: path.clone(), source })?;
        lock.made = false;
        Ok(())
    }
}

/// A locked keyring file, which may be new.
struct Locked {
    file: Flock<File>,
    folder: Arc<Folder>,
    name: String,
    /// This program made the file, and it holds no key yet.
    made: bool,
}

impl Locked {
    /// Locks the file `name` in `folder`. Only errors use its path.
    fn take(folder: &Arc<Folder>, name: &str, path: &Path, until: Instant) -> Result<Self, KeyringError> {
        let unreadable = |source| KeyringError::Unreadable { path: path.to_owned(), source };
        loop {
            let (file, made) = match folder.read(name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => match make(folder, name) {
                    // Another program has just made it.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    made => (made.map_err(|source| KeyringError::Unwritable { path: path.to_owned(), source })?, true),
                },
                found => (found.map_err(unreadable)?, false),
            };
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => {
                    let locked = Self { file, folder: Arc::clone(folder), name: name.to_owned(), made };
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

    /// Returns whether the locked file still has its name, and was not replaced by another program.
    fn is_in_place(&self) -> bool {
        let there = self.folder.read(&self.name).and_then(|file| file.metadata());
        let (Ok(mine), Ok(there)) = (self.file.metadata(), there) else { return false };
        (mine.dev(), mine.ino()) == (there.dev(), there.ino())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.made && self.is_in_place() {
            // The change failed, so there is no keyring, as before.
            let _ = self.folder.remove(&self.name);
        }
    }
}

/// Makes an empty keyring.
fn make(folder: &Folder, name: &str) -> io::Result<File> {
    let mut file = folder.make(name)?;
    file.write_all(HEAD)?;
    Ok(file)
}
