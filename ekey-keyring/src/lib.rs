//! The keyring: the file of long-term keys by serial number, in the original's format.
//!
//! A line holds a serial number (16 characters) and a long-term key (44), separated by blanks. A line that starts with
//! `#` is a comment. A change keeps all other lines byte for byte. The file holds secrets: [`Keyring::load`] refuses it
//! if others could have read or written it, its text is wiped from memory, and no error shows any part of a key.
//!
//! [`Keyring`] is the content of the file. [`KeyringEdit`] changes the file: it holds a lock from reading to writing, so
//! that two programs never lose each other's changes, and writes the file whole or not at all.
//!
//! ```
//! use ekey_keyring::Keyring;
//!
//! let line = b"NwBvBlg3OTBJORFD +v1DjWuJ9K3e9zqya37WjBXFBz9U86kXd5FTlm4xg2k=\n";
//! let keyring = Keyring::parse("keyring".as_ref(), line.to_vec().into())?;
//! assert!(keyring.get(&"NwBvBlg3OTBJORFD".parse().unwrap()).is_some());
//! # Ok::<(), ekey_keyring::KeyringError>(())
//! ```
#![forbid(unsafe_code)]

mod edit;
mod error;
mod file;
mod folder;
mod new_file;
mod owner;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ekey_proto::{LongTermKey, Serial};
use zeroize::Zeroizing;

pub use edit::KeyringEdit;
pub use error::KeyringError;
pub use owner::{DaemonUser, Untrusted, check_closed, check_secret};

/// The default path of the keyring, which is the original's.
pub const DEFAULT_KEYRING: &str = "/etc/entropykey/keyring";

/// The long-term keys of this machine's Entropy Keys.
pub struct Keyring {
    path: PathBuf,
    text: Zeroizing<Vec<u8>>,
    keys: BTreeMap<Serial, LongTermKey>,
    warnings: Vec<String>,
}

impl Keyring {
    /// Reads the keyring at `path`. One malformed line refuses the whole file.
    ///
    /// # Errors
    /// Any [`KeyringError`] except [`KeyringError::Unwritable`] and [`KeyringError::Locked`].
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        Self::load_for(path, &DaemonUser::default())
    }

    /// Does the same as [`load`](Self::load) for a daemon that runs as `daemon`, who may own the keyring.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_for(path: &Path, daemon: &DaemonUser) -> Result<Self, KeyringError> {
        Self::parse(path, file::read(path, daemon)?)
    }

    /// Parses `text`, the content of the file at `path`. Only warnings and errors use the path.
    ///
    /// # Errors
    /// [`KeyringError::Malformed`], which names every malformed line.
    pub fn parse(path: &Path, text: Zeroizing<Vec<u8>>) -> Result<Self, KeyringError> {
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

    /// Returns the path of the file, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the long-term key of `serial`, if there is one.
    pub fn get(&self, serial: &Serial) -> Option<&LongTermKey> {
        self.keys.get(serial)
    }

    /// Returns the serial numbers that have a key, in order.
    pub fn serials(&self) -> impl Iterator<Item = &Serial> {
        self.keys.keys()
    }

    /// Returns mistakes that do not prevent the use of the file, each with its line.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the content of the file. It holds the keys in clear.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Sets the long-term key of `serial` in memory. [`KeyringEdit::set`] changes a file.
    pub fn set(&mut self, serial: Serial, key: LongTermKey) {
        let secret = Zeroizing::new(key.to_base64());
        let line = Zeroizing::new([serial.to_text().as_slice(), b" ", secret.as_slice(), b"\n"].concat());
        self.replace(&serial, &line);
        self.keys.insert(serial, key);
    }

    /// Removes the long-term key of `serial` in memory. Returns whether there was one.
    pub fn remove(&mut self, serial: &Serial) -> bool {
        let was_there = self.keys.remove(serial).is_some();
        if was_there {
            self.replace(serial, b"");
        }
        was_there
    }

    /// Replaces the last entry of `serial` by `line`, or appends `line` if there is none. Drops all earlier entries of
    /// `serial`. An empty line drops them all.
    fn replace(&mut self, serial: &Serial, line: &[u8]) {
        let is_its = |line: &[u8]| matches!(entry(line), Ok(Some((found, _))) if found == *serial);
        let lines: Vec<&[u8]> = self.text.split_inclusive(|byte| *byte == b'\n').collect();
        let last = lines.iter().rposition(|line| is_its(line));
        // Large enough never to move, because moving would leave a copy of the keys behind.
        let mut text = Zeroizing::new(Vec::with_capacity(self.text.len() + line.len() + 1));
        for (index, old) in lines.iter().enumerate() {
            if Some(index) == last {
                text.extend_from_slice(line);
            } else if !is_its(old) {
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

/// Parses a line: `None` for a blank or a comment, else a serial number and its key.
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

#[cfg(test)]
mod tests;
