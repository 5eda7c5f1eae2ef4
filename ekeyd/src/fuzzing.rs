//! What the fuzz targets in `fuzz/` call. Only they enable the feature `fuzzing`.

use std::path::Path;

use crate::config::{Config, ConfigError, Listen, Section as _};

/// A configuration that was read without a mistake.
#[derive(Debug, PartialEq, Eq)]
pub struct Configuration(Config);

/// Line and column of a mistake, both counted from 1, and its text.
pub type Place = (usize, usize, String);

impl Configuration {
    /// Reads `text`, as the original's configuration if `file` ends with `.conf`, else as TOML.
    ///
    /// # Errors
    /// Every mistake, and the whole message.
    pub fn read(file: &str, text: &str) -> Result<Self, (Vec<Place>, String)> {
        Config::parse(Path::new(file), text).map(Self).map_err(|error| {
            let shown = error.to_string();
            let ConfigError::Mistakes(mistakes) = error else { return (Vec::new(), shown) };
            (mistakes.into_iter().map(|mistake| (mistake.line, mistake.column, mistake.what)).collect(), shown)
        })
    }

    /// Returns everything that it claims from the machine: paths, `ADDRESS:PORT`, `HOST:PORT`, hosts.
    #[must_use]
    pub fn claims(&self) -> Vec<String> {
        self.0.claims().iter().map(|claim| claim.resource.to_string()).collect()
    }

    /// Returns the bits credited per byte, the bytes of the pool, and the limit of clients.
    #[must_use]
    pub fn figures(&self) -> (u8, usize, usize) {
        (self.0.kernel.bits_per_byte, self.0.pool.bytes, self.0.egd.max_clients)
    }

    /// Returns what both formats can express, for a comparison.
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
