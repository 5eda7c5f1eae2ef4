//! The keyring that the daemon's threads share. If a reload fails, the previous content stays in use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use ekey_control::status::KeyringStatus;
use ekey_keyring::{Keyring, KeyringError};
use ekey_proto::{LongTermKey, Serial};

/// Shares the daemon's one keyring; clones refer to the same one.
#[derive(Clone)]
pub(crate) struct SharedKeyring {
    inner: Arc<RwLock<Inner>>,
}

struct Inner {
    path: PathBuf,
    keyring: Option<Keyring>,
    problem: Option<String>,
}

impl SharedKeyring {
    /// Reads the keyring at `path`. If that fails, logs the error and shows it in the status; keys then have no long-term key until a
    /// reload succeeds.
    pub(crate) fn open(path: &Path) -> Self {
        let inner = Inner { path: path.to_owned(), keyring: None, problem: None };
        let shared = Self { inner: Arc::new(RwLock::new(inner)) };
        if let Err(error) = shared.read_from(path) {
            tracing::error!("{error}");
        }
        shared
    }

    /// Reads the keyring at `path`, which also becomes the path in the status. Returns the count of long-term keys.
    ///
    /// # Errors
    /// [`KeyringError`]; the previous long-term keys stay in use.
    pub(crate) fn read_from(&self, path: &Path) -> Result<usize, KeyringError> {
        let outcome = Keyring::load(path);
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.path = path.to_owned();
        match outcome {
            Ok(keyring) => {
                for warning in keyring.warnings() {
                    tracing::warn!("{warning}");
                }
                let count = keyring.serials().count();
                *inner = Inner { path: path.to_owned(), keyring: Some(keyring), problem: None };
                Ok(count)
            }
            Err(error) => {
                inner.problem = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Returns a copy of the long-term key of `serial`, if the keyring has one.
    pub(crate) fn long_term_key(&self, serial: &Serial) -> Option<LongTermKey> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.keyring.as_ref()?.get(serial).map(LongTermKey::duplicate)
    }

    /// Reports the keyring.
    pub(crate) fn status(&self) -> KeyringStatus {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let keys = inner.keyring.as_ref().map_or(0, |keyring| keyring.serials().count());
        KeyringStatus {
            path: inner.path.display().to_string(),
            keys: u32::try_from(keys).unwrap_or(u32::MAX),
            problem: inner.problem.clone(),
        }
    }
}
