//! The daemon as the verbs that change something use it: this project's or the original, for both speak EKEYD/1.

use std::fs;
use std::path::{Path, PathBuf};

use ekey_control::{Client, ClientError, Command};
use ekey_proto::Serial;

/// A connection to a daemon that runs.
pub(crate) struct Daemon {
    client: Client,
}

/// A key that the daemon drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Driven {
    /// Its number, which names it to the daemon.
    pub(crate) number: String,
    /// The original's word for its state.
    pub(crate) state: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its serial number, as far as it is known.
    pub(crate) serial: Option<Serial>,
    /// The serial number that it must have, if whoever added it said one.
    pub(crate) expected: Option<Serial>,
}

impl Driven {
    /// Whether it is at `path`, by that name or another.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.path == path || matches!((fs::canonicalize(&self.path), fs::canonicalize(path)), (Ok(a), Ok(b)) if a == b)
    }
}

impl Daemon {
    /// Connects to the daemon, if one runs.
    ///
    /// # Errors
    /// [`ClientError`] if one is there and cannot be used.
    pub(crate) fn find(socket: &Path) -> Result<Option<Self>, ClientError> {
        match Client::connect(socket) {
            Ok(client) => Ok(Some(Self { client })),
            Err(error) if error.is_no_daemon() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The keys that it drives.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn keys(&mut self) -> Result<Vec<Driven>, ClientError> {
        let answer = self.client.request(&Command::ListEntropyKeys)?;
        let mut keys: Vec<Driven> = answer.lines.iter().skip(1).map(|line| driven(line)).collect();
        // The original does not say.
        let status = self.client.status().ok();
        for told in status.iter().flat_map(|status| &status.keys) {
            if let Some(key) = keys.iter_mut().find(|key| key.number == told.number.to_string()) {
                key.expected = told.expected_serial.as_deref().and_then(|serial| serial.parse().ok());
            }
        }
        Ok(keys)
    }

    /// The keyring that it reads; `None` if it does not say, as the original.
    pub(crate) fn keyring(&mut self) -> Option<PathBuf> {
        self.client.status().ok().map(|status| status.keyring.path.into())
    }

    /// Has it let go of a key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn release(&mut self, key: &Driven) -> Result<(), ClientError> {
        self.client.request(&Command::RemoveEntropyKey(key.number.clone())).map(drop)
    }

    /// Has it drive a key.
    ///
    /// # Errors
    /// [`ClientError`]; not if it does so already, which a daemon may that looks for keys by itself.
    pub(crate) fn take_back(&mut self, key: &Driven) -> Result<(), ClientError> {
        let path = key.path.display().to_string();
        let serial = key.expected.map(|serial| serial.to_string());
        match self.client.request(&Command::AddEntropyKey { path, serial }) {
            Err(refused @ ClientError::Refused { .. }) => {
                let found = self.keys()?.iter().any(|driven| driven.is_at(&key.path));
                if found { Ok(()) } else { Err(refused) }
            }
            outcome => outcome.map(drop),
        }
    }

    /// Has it read this keyring from now on, and gives what it says about that.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn read_keyring(&mut self, path: &Path) -> Result<String, ClientError> {
        self.client.request(&Command::Keyring(path.display().to_string())).map(|answer| answer.text)
    }
}

/// Columns as the header of the answer names them: NR OK Status Path SerialNo.
fn driven(line: &str) -> Driven {
    let mut columns = line.split('\t');
    let mut column = || columns.next().unwrap_or_default();
    let (number, _, state, path, serial) = (column(), column(), column(), column(), column());
    Driven {
        number: number.to_owned(),
        state: state.to_owned(),
        path: path.into(),
        serial: serial.parse().ok(),
        expected: None,
    }
}
