//! An open folder in which the keyring is changed.
//!
//! Root must not write where another user can say what a name means: that user could put a link in its place. So root
//! opens a folder only if other users cannot change it or what leads to it. The daemon's user may own the folder itself.
//! Each change then works in the open folder, wherever its path leads meanwhile, and follows no link.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use crate::KeyringError;

/// How many links may follow each other, as in the kernel.
const MOST_LINKS: usize = 40;
const STICKY: u32 = 0o1000;

/// An open folder.
pub(crate) struct Folder {
    handle: File,
}

/// The name of a file that may be reached by links.
pub(crate) struct Place {
    /// Its folder, with no link on the way.
    pub(crate) folder: PathBuf,
    /// Its name in that folder.
    pub(crate) name: String,
}

impl Place {
    /// Finds the place of the keyring at `path`: follows links, so that the link stays a link and its target is
    /// replaced. Root follows a link only if it is in a folder that only root can change.
    ///
    /// # Errors
    /// [`KeyringError::Dangling`], [`KeyringError::OpenFolder`] or [`KeyringError::Unwritable`].
    pub(crate) fn of(path: &Path) -> Result<Self, KeyringError> {
        let unwritable = |source| KeyringError::Unwritable { path: path.to_owned(), source };
        let mut at = path.to_owned();
        for _ in 0..MOST_LINKS {
            let folder = fs::canonicalize(folder_of(&at)).map_err(unwritable)?;
            let name = at.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
                unwritable(io::Error::new(io::ErrorKind::InvalidInput, "the name of the file is not UTF-8, or missing"))
            })?;
            let here = folder.join(name);
            match fs::read_link(&here) {
                Ok(target) => {
                    check_closed(&folder, None)?;
                    at = folder.join(target);
                }
                // Not a link, or nothing at all.
                Err(_) if at != path && fs::symlink_metadata(&here).is_err() => {
                    return Err(KeyringError::Dangling { path: path.to_owned() });
                }
                Err(_) => return Ok(Self { folder, name: name.to_owned() }),
            }
        }
        Err(unwritable(Errno::ELOOP.into()))
    }
}

impl Folder {
    /// Opens a folder whose path has no link. Root opens it only if just root and `daemon` can change it.
    ///
    /// # Errors
    /// [`KeyringError::OpenFolder`] or [`KeyringError::Unwritable`].
    pub(crate) fn open(path: &Path, daemon: Option<u32>) -> Result<Self, KeyringError> {
        check_closed(path, daemon)?;
        let handle = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
            .open(path)
            .map_err(|source| KeyringError::Unwritable { path: path.to_owned(), source })?;
        Ok(Self { handle })
    }

    /// Opens a file to read. Does not wait: a pipe without a writer would block.
    pub(crate) fn read(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
    }

    /// Makes a file with mode 0600 and opens it to write.
    pub(crate) fn make(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)
    }

    /// Gives a file another name, and so replaces the file that had it.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.handle, from, &self.handle, to)?)
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// Returns the names in the folder that are UTF-8; none if it cannot be read.
    pub(crate) fn names(&self) -> Vec<String> {
        let here = Dir::openat(&self.handle, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
        let Ok(mut here) = here else { return Vec::new() };
        here.iter().flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned)).collect()
    }

    /// Writes to disk which names it has.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.handle, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }
}

/// Returns the folder of `path`.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Checks that only root, and `daemon` if given, can change what is in `folder`, whose path has no link. For other
/// users than root this does not matter: they can give nothing away that is not theirs.
fn check_closed(folder: &Path, daemon: Option<u32>) -> Result<(), KeyringError> {
    if !geteuid().is_root() {
        return Ok(());
    }
    for part in folder.ancestors() {
        let found = fs::symlink_metadata(part)
            .map_err(|source| KeyringError::Unwritable { path: folder.to_owned(), source })?;
        let itself = part == folder;
        if !is_closed(&found, daemon.filter(|_| itself), !itself) {
            let (path, uid, mode) = (part.to_owned(), found.uid(), found.mode() & 0o7777);
            return Err(KeyringError::OpenFolder { path, uid, mode });
        }
    }
    Ok(())
}

/// Returns whether only root and `daemon` can change a folder. With `way`, it only leads to the folder: then others may
/// have files of their own in it, if they cannot rename those of root (sticky, as /tmp).
fn is_closed(found: &Metadata, daemon: Option<u32>, way: bool) -> bool {
    let owned = found.uid() == 0 || Some(found.uid()) == daemon;
    owned && (found.mode() & 0o022 == 0 || (way && found.mode() & STICKY != 0))
}
