//! The keyring: which long-term key belongs to which serial number, in the file that the original keeps.
//!
//! A line is a serial number (16 characters) and a long-term key (44), with blanks between; a line that starts with `#` is a
//! comment. What is not changed is kept byte for byte. The file holds secrets: it is refused if others could have read or
//! written it, what is read of it is wiped, and no error shows any of it.

mod shared;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ekey_proto::{LongTermKey, Serial};
use nix::fcntl::OFlag;
use zeroize::Zeroizing;

pub(crate) use shared::SharedKeyring;

/// A keyring larger than this, in bytes, is none.
const MOST_BYTES: u64 = 1024 * 1024;
/// Malformed lines that are named one by one, at most.
const MOST_NAMED: usize = 20;
const HEAD: &[u8] = b"# Long-term keys of Entropy Keys: serial number, key. Keep it secret.\n";

/// The long-term keys of this machine's Entropy Keys.
pub(crate) struct Keyring {
    path: PathBuf,
    text: Zeroizing<Vec<u8>>,
    keys: BTreeMap<Serial, LongTermKey>,
    warnings: Vec<String>,
}

/// A keyring that cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringError {
    /// There is no such file (config).
    #[error("{}: there is no keyring; make one with `ekey-ctl rekey`, or correct the path", path.display())]
    Missing {
        /// The keyring.
        path: PathBuf,
    },
    /// The file cannot be read (host).
    #[error("{}: cannot read the keyring: {source}; run the daemon as the user that owns it", path.display())]
    Unreadable {
        /// The keyring.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is a folder, a device or the like (config).
    #[error("{}: the keyring is not a regular file; correct the path", path.display())]
    NotAFile {
        /// The keyring.
        path: PathBuf,
    },
    /// No keyring is that large (config).
    #[error("{}: larger than a keyring can be (1 MiB), or growing while it was read; correct the path", path.display())]
    TooLarge {
        /// The keyring.
        path: PathBuf,
    },
    /// Others than its owner can read or write the file (host).
    #[error("{}: the keyring has mode {mode:04o}, so others may know or change its keys; chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The keyring.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file belongs to neither root nor the daemon's user (host).
    #[error("{}: the keyring belongs to user {uid}, who may change its keys; chown root {}", path.display(), path.display())]
    Foreign {
        /// The keyring.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Lines that are neither a comment nor a serial number and a key (config). One a line, at most twenty.
    #[error("{}", shown(path, lines))]
    Malformed {
        /// The keyring.
        path: PathBuf,
        /// The number of each line, counted from 1, and what is wrong with it.
        lines: Vec<(usize, &'static str)>,
    },
    /// The file cannot be written (host); what was there is still there.
    #[error("{}: cannot write the keyring: {source}; see that its folder can be written and has room", path.display())]
    Unwritable {
        /// The keyring.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Keyring {
    /// Reads the keyring at `path`. A keyring with any malformed line is refused whole.
    ///
    /// # Errors
    /// Any [`KeyringError`] but [`KeyringError::Unwritable`].
    pub(crate) fn load(path: &Path) -> Result<Self, KeyringError> {
        let text = read(path)?;
        let (mut keys, mut warnings, mut wrong) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            match entry(line) {
                Ok(None) => {}
                Ok(Some((serial, key))) => {
                    if keys.insert(serial, key).is_some() {
                        let number = index + 1;
                        let path = path.display();
                        warnings.push(format!(
                            "{path}:{number}: another key for {serial}; this one counts, remove the other"
                        ));
                    }
                }
                Err(what) => wrong.push((index + 1, what)),
            }
        }
        if wrong.is_empty() {
            Ok(Self { path: path.to_owned(), text, keys, warnings })
        } else {
            Err(KeyringError::Malformed { path: path.to_owned(), lines: wrong })
        }
    }

    /// Reads the keyring at `path`, or starts an empty one if there is no such file.
    ///
    /// # Errors
    /// As [`Keyring::load`], but for [`KeyringError::Missing`].
    pub(crate) fn load_or_new(path: &Path) -> Result<Self, KeyringError> {
        match Self::load(path) {
            Err(KeyringError::Missing { path }) => {
                Ok(Self { path, text: Zeroizing::new(HEAD.to_vec()), keys: BTreeMap::new(), warnings: Vec::new() })
            }
            outcome => outcome,
        }
    }

    /// The long-term key of `serial`, if there is one.
    pub(crate) fn get(&self, serial: &Serial) -> Option<&LongTermKey> {
        self.keys.get(serial)
    }

    /// The serial numbers there are keys for, in order.
    pub(crate) fn serials(&self) -> impl Iterator<Item = &Serial> {
        self.keys.keys()
    }

    /// What is odd about the file but does not keep it from being used, each with its place.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sets the long-term key of `serial`, in place of any that was there. [`save`](Self::save) writes it.
    pub(crate) fn set(&mut self, serial: Serial, key: LongTermKey) {
        let secret = Zeroizing::new(key.to_base64());
        let line = Zeroizing::new([serial.to_text().as_slice(), b" ", secret.as_slice(), b"\n"].concat());
        self.replace(&serial, &line);
        self.keys.insert(serial, key);
    }

    /// Writes the keyring, mode 0600: whoever reads it, even after a crash, finds the old one or the new one, whole. A symbolic
    /// link stays one.
    ///
    /// # Errors
    /// [`KeyringError::Unwritable`]; then the old keyring is untouched.
    pub(crate) fn save(&self) -> Result<(), KeyringError> {
        write(&self.path, &self.text).map_err(|source| KeyringError::Unwritable { path: self.path.clone(), source })
    }

    /// Puts `line` where the entry of `serial` is that counts, or at the end; drops all other entries of `serial`.
    fn replace(&mut self, serial: &Serial, line: &[u8]) {
        let is_theirs = |line: &[u8]| matches!(entry(line), Ok(Some((found, _))) if found == *serial);
        let lines: Vec<&[u8]> = self.text.split_inclusive(|byte| *byte == b'\n').collect();
        let last = lines.iter().rposition(|line| is_theirs(line));
        // Large enough that it never has to move, which would leave a copy behind.
        let mut text = Zeroizing::new(Vec::with_capacity(self.text.len() + line.len() + 1));
        for (index, old) in lines.iter().enumerate() {
            if Some(index) == last {
                text.extend_from_slice(line);
            } else if !is_theirs(old) {
                text.extend_from_slice(old);
            }
        }
        if last.is_none() && !line.is_empty() {
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            text.extend_from_slice(line);
        }
        self.text = text;
    }
}

/// What a line says: nothing (blank or a comment), or a serial number and its key.
fn entry(line: &[u8]) -> Result<Option<(Serial, LongTermKey)>, &'static str> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (Some(serial), Some(key), None) = (words.next(), words.next(), words.next()) else {
        return Err("expected a serial number and a key, with a blank between");
    };
    let serial =
        Serial::from_text(serial).map_err(|_| "the serial number must be the 16 characters on the key (base64)")?;
    let key = LongTermKey::from_base64(key).map_err(|_| "the key must be 44 characters, the base64 of 32 bytes")?;
    Ok(Some((serial, key)))
}

fn shown(path: &Path, lines: &[(usize, &'static str)]) -> String {
    let path = path.display();
    let mut shown: Vec<String> =
        lines.iter().take(MOST_NAMED).map(|(number, what)| format!("{path}:{number}: {what}")).collect();
    if lines.len() > MOST_NAMED {
        shown.push(format!(
            "{path}: and {} lines more; correct the path if this is no keyring",
            lines.len() - MOST_NAMED
        ));
    }
    shown.join("\n")
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyringError::Missing { path: path.to_owned() },
        _ => KeyringError::Unreadable { path: path.to_owned(), source },
    };
    // Without waiting, or a pipe that nobody writes would hang the daemon.
    let nonblocking = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let mut file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    let path = path.to_owned();
    let mode = found.mode() & 0o7777;
    if !found.is_file() {
        return Err(KeyringError::NotAFile { path });
    }
    if found.uid() != 0 && found.uid() != nix::unistd::geteuid().as_raw() {
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

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (mut file, new) = new_file_beside(&path)?;
    let outcome = file.write_all(text).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&new, &path));
    if let Err(error) = outcome {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    File::open(folder)?.sync_all()
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

#[cfg(test)]
mod tests;
