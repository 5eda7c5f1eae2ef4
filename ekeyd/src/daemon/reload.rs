//! SIGHUP: reads keyring, configuration and certificates again.

use std::io;
use std::path::Path;

use ekey_keyring::KeyringError;

use super::Daemon;
use crate::config::Config;

impl Daemon {
    /// Reads the files again. The keyring, the list of keys and the certificates take effect at once. Logs that other changes need
    /// a restart. A file with mistakes changes nothing.
    pub(super) fn reload(&mut self) {
        // A service manager that still waits for the first entropy must not get "ready" at the end.
        let is_ready = self.service_manager.is_ready();
        if is_ready && let Ok(reloading) = sd_notify::NotifyState::monotonic_usec_now() {
            self.service_manager.tell(&[sd_notify::NotifyState::Reloading, reloading]);
        }
        if let Some(file) = self.settings.file.clone() {
            self.reload_config(&file);
        }
        let keyring = self.settings.config.keyring.clone();
        match self.read_keyring(&keyring) {
            Ok(count) => {
                tracing::info!(keys = count, "the keyring was read again");
                self.sources.iter().for_each(|source| source.keyring_changed());
            }
            Err(error) => tracing::error!("{error}"),
        }
        for outlet in &mut self.outlets {
            if let Err(error) = outlet.reload() {
                tracing::error!("{error}");
            }
        }
        if is_ready {
            self.service_manager.tell(&[sd_notify::NotifyState::Ready]);
        }
    }

    /// Switches to the keyring at `path`. Returns how many long-term keys it holds.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub(super) fn read_keyring(&mut self, path: &Path) -> Result<usize, String> {
        let outcome = self.keyring.read_from(path);
        // The long-term keys are in new memory.
        self.confinement.lock_memory(self.stock.memory());
        outcome.map_err(|error| match &error {
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
                tracing::error!("cannot reload the configuration; the old one stays in use:");
                return error.to_string().lines().for_each(|mistake| tracing::error!("{mistake}"));
            }
        };
        notes.iter().for_each(|note| tracing::info!("{note}"));
        let before = &mut self.settings.config;
        let restart = Config { keyring: before.keyring.clone(), keys: before.keys.clone(), ..config.clone() };
        if restart != *before {
            tracing::warn!("{}: what changed besides keys and keyring takes effect after a restart", file.display());
        }
        if self.confinement.lacks_devices_of(&config.keys) {
            tracing::warn!(
                "{}: keys below /dev that were not configured at the start take a restart ([sandbox])",
                file.display()
            );
        }
        before.keyring = config.keyring;
        before.keys = config.keys;
        self.sources.iter_mut().for_each(|source| source.reload(before));
        tracing::info!("{}: read again", file.display());
    }
}
