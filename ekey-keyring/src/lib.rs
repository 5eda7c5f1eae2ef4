//! The keyring: which long-term key belongs to which serial number, in the file that the original keeps.
//!
//! A line is a serial number (16 characters) and a long-term key (44), with blanks between; a line that starts with `#` is a
//! comment. What is not changed is kept byte for byte. The file holds secrets: it is refused if others could have read or
//! written it, what is read of it is wiped, and no error shows any of it.
//!
//! [`Keyring`] is what the file says. [`KeyringEdit`] changes it: locked from reading to writing, so that no two programs lose
//! each other's changes, and written whole or not at all.
//!
//! ```
//! use ekey_keyring::{Keyring, KeyringEdit};
//! use ekey_proto::{LongTermKey, Serial};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("keyring");
//! let serial: Serial = "NwBvBlg3OTBJORFD".parse()?;
//! let key = LongTermKey::from_base64(b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?;
//!
//! let mut edit = KeyringEdit::begin(&path)?;
//! edit.set(serial, key);
//! edit.save()?;
//! assert!(Keyring::load(&path)?.get(&serial).is_some());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "fuzzing")]
mod bench;
mod edit;
mod error;
mod file;
mod owner;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ekey_proto::{LongTermKey, Serial};
use zeroize::Zeroizing;

#[cfg(feature = "fuzzing")]
pub use bench::KeyringBench;
pub use edit::KeyringEdit;
pub use error::KeyringError;
pub use owner::is_trusted;

/// Where the keyring is unless somebody says otherwise: the original's place.
pub const DEFAULT_KEYRING: &str = "/etc/entropykey/keyring";

/// The long-term keys of this machine's Entropy Keys.
pub struct Keyring {
    path: PathBuf,
    text: Zeroizing<Vec<u8>>,
    keys: BTreeMap<Serial, LongTermKey>,
    warnings: Vec<String>,
}

impl Keyring {
    /// Reads the keyring at `path`. A keyring with any malformed line is refused whole.
    ///
    /// # Errors
    /// Any [`KeyringError`] but [`KeyringError::Unwritable`] and [`KeyringError::Locked`].
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        Self::parse(path, file::read(path)?)
    }

    /// Reads `text`, the content of the file at `path`.
    fn parse(path: &Path, text: Zeroizing<Vec<u8>>) -> Result<Self, KeyringError> {
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

    /// The file, as it was named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The long-term key of `serial`, if there is one.
    pub fn get(&self, serial: &Serial) -> Option<&LongTermKey> {
        self.keys.get(serial)
    }

    /// The serial numbers there are keys for, in order.
    pub fn serials(&self) -> impl Iterator<Item = &Serial> {
        self.keys.keys()
    }

    /// What is odd about the file but does not keep it from being used, each with its place.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn set(&mut self, serial: Serial, key: LongTermKey) {
        let secret = Zeroizing::new(key.to_base64());
        let line = Zeroizing::new([serial.to_text().as_slice(), b" ", secret.as_slice(), b"\n"].concat());
        self.replace(&serial, &line);
        self.keys.insert(serial, key);
    }

    fn remove(&mut self, serial: &Serial) -> bool {
        let was_there = self.keys.remove(serial).is_some();
        if was_there {
            self.replace(serial, b"");
        }
        was_there
    }

    /// Puts `line` where the entry of `serial` is that counts, or at the end; drops all other entries of `serial`. An empty line
    /// drops them all.
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

#[cfg(test)]
mod tests;
