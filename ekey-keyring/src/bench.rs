//! A keyring without a file, for the fuzz targets: what a text says, and what becomes of the text when a key is set or removed.

use std::path::Path;

use ekey_proto::{LongTermKey, Serial};
use zeroize::Zeroizing;

use crate::{Keyring, KeyringError};

/// A keyring that is nowhere on a disk.
pub struct KeyringBench(Keyring);

impl KeyringBench {
    /// Reads a text.
    ///
    /// # Errors
    /// [`KeyringError::Malformed`].
    pub fn read(text: &[u8]) -> Result<Self, KeyringError> {
        Keyring::parse(Path::new("/keyring"), Zeroizing::new(text.to_vec())).map(Self)
    }

    /// What it says.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.0
    }

    /// The text as it would be written.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.0.text
    }

    /// Sets a key, as an edit does.
    pub fn set(&mut self, serial: Serial, key: LongTermKey) {
        self.0.set(serial, key);
    }

    /// Removes a key, as an edit does, and returns whether there was one.
    pub fn remove(&mut self, serial: &Serial) -> bool {
        self.0.remove(serial)
    }
}
