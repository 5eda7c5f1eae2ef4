//! SIGHUP: keyring, configuration and the certificate for TLS clients are read again.

use std::io;
use std::path::Path;

use ekey_keyring::KeyringError;

use super::{Daemon, notify};
use crate::config::Config;
use crate::source::key::{Key, Name};

impl Daemon {
    /// Reads the files again. The keyring, the list of keys and the certificate take effect at once; other changes are named as needing a
    /// restart. A file with mistakes changes nothing.
    pub(super) fn reload(&mut self) {
        // To a service manager that still waits for the first entropy, the word "ready" at the end would be a lie.
        if self.is_ready
            && let Ok(reloading) = sd_notify::NotifyState::monotonic_usec_now()
        {
            notify(&[sd_notify::NotifyState::Reloading, reloading]);
        }
        if let Some(file) = self.config_file.clone() {
            self.reload_config(&file);
        }
        match self.read_keyring(&self.config.keyring) {
            Ok(count) => {
                tracing::info!(keys = count, "the keyring was read again");
                self.tell_keys_of_keyring();
            }
            Err(error) => tracing::error!("{error}"),
        }
        if let Err(error) = self.egd.reload_tls() {
            tracing::error!("{error}; until then the certificate of before stays in use");
        }
        if self.is_ready {
            notify(&[sd_notify::NotifyState::Ready]);
        }
    }

    /// Reads the keyring at `path` from now on, and returns how many long-term keys it holds.
    ///
    /// # Errors
    /// What is wrong and what to do.
    pub(super) fn read_keyring(&self, path: &Path) -> Result<usize, String> {
        self.keyring.read_from(path).map_err(|error| match &error {
            KeyringError::Unreadable { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied && self.confinement.bounds_files() =>
            {
                format!("{error}; a folder that was not in the configuration at the start takes a restart ([sandbox])")
            }
            _ => error.to_string(),
        })
    }

    fn reload_config(&mut self, file: &Path) {
        let (config, notes) = match Config::load(file) {
            Ok(read) => read,
            Err(error) => {
                return tracing::error!("the configuration was not read again, the old one stays in force:\n{error}");
            }
        };
        notes.iter().for_each(|note| tracing::info!("{note}"));
        // A key that is named as before stays as it is; one whose entry has changed is let go and begun anew.
        let entry = |config: &Config, key: &Key| match key.name() {
            Name::Path(path) => config.keys.paths.iter().find(|named| named.path == *path).cloned(),
            Name::Serial(_) => None,
        };
        let other_transport = config.keys.transport != self.config.keys.transport;
        let (gone, kept): (Vec<Key>, Vec<Key>) = std::mem::take(&mut self.keys).into_iter().partition(|key| {
            let before = entry(&self.config, key);
            other_transport || (before.is_some() && before != entry(&config, key))
        });
        self.keys = kept;
        gone.iter().for_each(|key| self.ledger.part_with(key));
        gone.into_iter().for_each(Key::let_go);
        let restart = Config { keyring: self.config.keyring.clone(), keys: self.config.keys.clone(), ..config.clone() };
        if restart != self.config {
            tracing::warn!("{}: what changed besides keys and keyring takes effect after a restart", file.display());
        }
        self.config.keyring = config.keyring;
        self.config.keys = config.keys;
        self.add_configured_keys();
        tracing::info!("{}: read again", file.display());
    }
}
