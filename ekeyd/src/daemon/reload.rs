//! SIGHUP: keyring and configuration are read again.

use std::path::Path;

use super::{Daemon, notify};
use crate::config::Config;
use crate::key::{Key, Name};

impl Daemon {
    /// Reads both files again. The keyring and the list of keys take effect at once; other changes are named as needing a
    /// restart. A file with mistakes changes nothing.
    pub(super) fn reload(&mut self) {
        if let Ok(reloading) = sd_notify::NotifyState::monotonic_usec_now() {
            notify(&[sd_notify::NotifyState::Reloading, reloading]);
        }
        if let Some(file) = self.config_file.clone() {
            self.reload_config(&file);
        }
        match self.keyring.reload() {
            Ok(count) => {
                tracing::info!(keys = count, "the keyring was read again");
                self.tell_keys_of_keyring();
            }
            Err(error) => tracing::error!("{error}"),
        }
        notify(&[sd_notify::NotifyState::Ready]);
    }

    fn reload_config(&mut self, file: &Path) {
        let config = match Config::load(file) {
            Ok(config) => config,
            Err(error) => {
                return tracing::error!("the configuration was not read again, the old one stays in force:\n{error}");
            }
        };
        if config.keyring != self.config.keyring
            && let Err(error) = self.keyring.read_from(&config.keyring)
        {
            tracing::error!("{error}");
        }
        let named = |config: &Config, key: &Key| {
            let Name::Path(path) = key.name() else { return false };
            config.keys.paths.iter().any(|named| named.path == *path)
        };
        let (gone, kept): (Vec<Key>, Vec<Key>) = std::mem::take(&mut self.keys)
            .into_iter()
            .partition(|key| named(&self.config, key) && !named(&config, key));
        self.keys = kept;
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
