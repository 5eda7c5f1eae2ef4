//! What the fuzz targets in `fuzz/` get to see of the daemon: only with the feature `fuzzing`, which nothing else turns on.

use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError, Listen};

/// A configuration that was read without a mistake.
#[derive(Debug, PartialEq, Eq)]
pub struct Configuration(Config);

/// Line and column of a mistake, both from 1, and what it is.
pub type Place = (usize, usize, String);

impl Configuration {
    /// Reads `text`: as the original's if `file` ends with `.conf`, else as TOML.
    ///
    /// # Errors
    /// Every mistake, and all of them as they are shown.
    pub fn read(file: &str, text: &str) -> Result<Self, (Vec<Place>, String)> {
        Config::parse(Path::new(file), text).map(Self).map_err(|error| {
            let shown = error.to_string();
            let ConfigError::Mistakes(mistakes) = error else { return (Vec::new(), shown) };
            (mistakes.into_iter().map(|mistake| (mistake.line, mistake.column, mistake.what)).collect(), shown)
        })
    }

    /// Every path that it names.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let sockets = self.0.egd.listen.iter().filter_map(|listen| match listen {
            Listen::Unix { path, .. } => Some(path.clone()),
            _ => None,
        });
        let mut paths = vec![self.0.keyring.clone(), self.0.control.clone()];
        paths.extend(self.0.keys.paths.iter().map(|key| key.path.clone()));
        paths.extend(self.0.keys.folders.iter().cloned());
        paths.extend(self.0.file.iter().map(|file| file.path.clone()));
        paths.extend(sockets);
        paths
    }

    /// Bits credited for a byte, bytes of the pool, and clients at most.
    #[must_use]
    pub fn figures(&self) -> (u8, usize, usize) {
        (self.0.kernel.bits_per_byte, self.0.egd.pool_bytes, self.0.egd.max_clients)
    }

    /// What both formats can say, to be compared.
    #[must_use]
    pub fn in_both_formats(&self) -> String {
        let Config { keyring, control, control_tcp, keys, kernel, file, egd, .. } = &self.0;
        let mut listen: Vec<String> = Vec::new();
        for place in &egd.listen {
            let text = match place {
                Listen::Unix { path, .. } => format!("unix:{}", path.display()),
                other => format!("{other:?}"),
            };
            if !listen.contains(&text) {
                listen.push(text);
            }
        }
        format!("{keyring:?} {control:?} {control_tcp:?} {:?} {kernel:?} {file:?} {listen:?}", keys.paths)
    }
}
