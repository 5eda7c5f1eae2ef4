//! A counter that no crash sets back: of each block of values the file says that it is used before the first of them is.
//!
//! The file holds the first value that is free, and is replaced as a whole. A new one starts at a random value, once the kernel's
//! generator is ready. So one that was lost, with its folder or its disk, never counts the same values again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// The file in the state directory.
const NAME: &str = "nonce-counter";
/// Values that are taken from the file at a time: more than one key uses in weeks, so that flash memory is seldom written.
const BLOCK: u128 = 65_536;
/// A new file starts below it, and a file that has come to twice as much is damaged, so that no value overflows.
const LIMIT: u128 = 1 << 126;
/// The file's length: 32 hexadecimal digits and the end of the line.
const LEN: usize = 33;
/// How often to look whether another program has released the file, and the pause between.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no value that is certainly new.
#[derive(Debug, thiserror::Error)]
enum CounterError {
    /// The folder cannot be used (host).
    #[error(
        "{}: cannot use this folder: {source}; make it and give it to the daemon's user, or name another by state-dir in the configuration",
        folder.display()
    )]
    Folder { folder: PathBuf, source: io::Error },
    /// Other users can change the folder (host).
    #[error("{}: other users can write to this folder (mode {mode:04o}); run `chmod go-w` on it", folder.display())]
    Exposed { folder: PathBuf, mode: u32 },
    /// There is no file, and none may be made yet.
    #[error("{}: there is none yet, and the kernel's generator is not ready to start one", .0.display())]
    Missing(PathBuf),
    /// The content is not a counter, and it may not be replaced yet.
    #[error("{}: this is not a nonce counter, and the kernel's generator is not ready to start another", .0.display())]
    Damaged(PathBuf),
    /// Another program holds the file (host).
    #[error("{}: another program holds this file; let each daemon have a state-dir of its own", .0.display())]
    Held(PathBuf),
    /// The file cannot be replaced (host).
    #[error("{}: cannot write: {source}; make room, and let the daemon's user write to its folder", file.display())]
    Write { file: PathBuf, source: io::Error },
}

impl CounterError {
    /// Returns whether it ends by itself once the kernel's generator is ready.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Damaged(_))
    }
}

/// What is at the place of the file.
enum Found {
    /// A counter, with the first value that is free. The lock ends when the file is closed.
    Counter(u128, Flock<File>),
    Nothing,
    SomethingElse,
}

/// Counts up, over all starts of the daemon.
pub(super) struct Counter {
    folder: PathBuf,
    file: PathBuf,
    next: u128,
    /// Behind the last value that was taken from the file.
    end: u128,
    problem: Option<CounterError>,
}

impl Counter {
    /// Counts in a file of `folder`. Opens nothing yet.
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), file: folder.join(NAME), next: 0, end: 0, problem: None }
    }

    /// Returns a value that it has never returned before, `None` if that is not certain. `start`: where a new file starts, random;
    /// `None` while no file may be made.
    pub(super) fn next(&mut self, start: Option<u128>) -> Option<u128> {
        if self.next == self.end {
            match self.reserve(start) {
                Ok(()) => self.problem = None,
                Err(error) => {
                    self.note(error);
                    return None;
                }
            }
        }
        let value = self.next;
        self.next += 1;
        Some(value)
    }

    /// Returns the file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns what is wrong and what to do, if a person should do something.
    pub(super) fn problem(&self) -> Option<String> {
        self.problem.as_ref().filter(|problem| !problem.is_passing()).map(ToString::to_string)
    }

    fn note(&mut self, error: CounterError) {
        let before = self.problem.replace(error).map(|problem| problem.to_string());
        let now = self.problem.as_ref().map(ToString::to_string).filter(|now| before.as_ref() != Some(now));
        if let Some(now) = now {
            tracing::warn!("the nonce counter cannot be used: {now}");
        }
    }

    /// Takes the next block of values.
    fn reserve(&mut self, start: Option<u128>) -> Result<(), CounterError> {
        self.check_folder()?;
        // Held until the file is replaced.
        let (begin, _lock) = match (self.look()?, start) {
            (Found::Counter(free, lock), _) => {
                if free < self.end {
                    tracing::warn!(
                        "{}: this counter has gone back; the daemon goes on where it was",
                        self.file.display()
                    );
                }
                (free.max(self.end), Some(lock))
            }
            (Found::Nothing, Some(start)) => (start % LIMIT, None),
            (Found::SomethingElse, Some(start)) => {
                tracing::warn!("{}: this was not a nonce counter and is replaced by one", self.file.display());
                (start % LIMIT, None)
            }
            (Found::Nothing, None) => return Err(CounterError::Missing(self.file.clone())),
            (Found::SomethingElse, None) => return Err(CounterError::Damaged(self.file.clone())),
        };
        let end = begin + BLOCK;
        self.write(end).map_err(|source| CounterError::Write { file: self.file.clone(), source })?;
        (self.next, self.end) = (begin, end);
        Ok(())
    }

    /// Checks that no other user can set the counter back.
    fn check_folder(&self) -> Result<(), CounterError> {
        let folder = &self.folder;
        let failed = |source| CounterError::Folder { folder: folder.clone(), source };
        let found = fs::metadata(folder).map_err(failed)?;
        if !found.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        let mode = found.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(CounterError::Exposed { folder: folder.clone(), mode });
        }
        Ok(())
    }

    /// Opens, locks and reads the file. Another daemon may have replaced it meanwhile: then does it again.
    fn look(&self) -> Result<Found, CounterError> {
        let failed = |source| CounterError::Folder { folder: self.folder.clone(), source };
        // Follows no link and does not wait for a pipe.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        for _ in 0..LOOKS {
            let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(&self.file);
            let file = match opened {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
                Err(error) if is_of_another_kind(&error) => return Ok(Found::SomethingElse),
                Err(error) => return Err(failed(error)),
            };
            if !file.metadata().map_err(failed)?.is_file() {
                return Ok(Found::SomethingElse);
            }
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) if is_at(&file, &self.file) => {
                    return Ok(match value(&file).map_err(failed)? {
                        Some(free) => Found::Counter(free, file),
                        None => Found::SomethingElse,
                    });
                }
                Ok(_) => {}
                Err((_, Errno::EAGAIN | Errno::EINTR)) => sleep(PAUSE),
                Err((_, errno)) => return Err(failed(errno.into())),
            }
        }
        Err(CounterError::Held(self.file.clone()))
    }

    /// Replaces the file, and returns once the disk has it.
    fn write(&self, free: u128) -> io::Result<()> {
        let new = self.folder.join(format!("{NAME}.new"));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(format!("{free:032x}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.file)?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Returns the value in the file, `None` if it is not a counter's.
fn value(file: &File) -> io::Result<Option<u128>> {
    let mut text = Vec::new();
    file.take(LEN as u64 + 1).read_to_end(&mut text)?;
    let digits = text.strip_suffix(b"\n").filter(|digits| digits.len() == LEN - 1);
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    // from_str_radix accepts a sign.
    let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    Ok(digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()).filter(|free| *free < LIMIT * 2))
}

/// Returns whether the error of open(2) means a link, a socket or a folder.
fn is_of_another_kind(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ELOOP | Errno::ENXIO | Errno::ENODEV | Errno::EISDIR))
}

/// Returns whether `file` is still the one at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(mine), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (mine.dev(), mine.ino()) == (there.dev(), there.ino())
}
