//! The daemon for verbs that change something: this project's or the original, because both speak EKEYD/1. And which
//! socket to use, if the person named none.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use ekey_control::{Client, ClientError, Command, DEFAULT_SOCKET};
use ekey_proto::Serial;
use nix::unistd::geteuid;

/// Returns the socket to use: the one that the person named or, if that is the default one and no daemon has made it,
/// the one of this user's `ekeyd demo`. Then it says so on standard error.
pub(crate) fn socket(named: &Path) -> PathBuf {
    if named == Path::new(DEFAULT_SOCKET)
        && is_missing(named)
        && let Some(demo) = demo_folders().iter().find_map(|folder| demo_in(folder))
    {
        // Without standard error, the status still says that the data is not random.
        let _ = writeln!(
            io::stderr(),
            "ekey-ctl: no daemon at {DEFAULT_SOCKET}, so this is about your demonstration at {}",
            demo.display()
        );
        return demo;
    }
    named.to_owned()
}

fn is_missing(path: &Path) -> bool {
    matches!(fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// Returns the folders in which `ekeyd demo` makes its sockets unless told otherwise.
fn demo_folders() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let runtime = runtime.map(|folder| folder.join("ekeyd-demo"));
    runtime.into_iter().chain([PathBuf::from(format!("/tmp/ekeyd-demo-{}", geteuid()))]).collect()
}

/// Returns the control socket of the demonstration that runs in `folder`. Another user may have made a folder of this
/// name in `/tmp`, so it counts only if it belongs to this user and others cannot write to it.
fn demo_in(folder: &Path) -> Option<PathBuf> {
    let found = fs::symlink_metadata(folder).ok()?;
    let ours = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0;
    let socket = folder.join("control.sock");
    (ours && UnixStream::connect(&socket).is_ok()).then_some(socket)
}

/// A connection to a running daemon.
pub(crate) struct Daemon {
    client: Client,
}

/// A key that the daemon drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Driven {
    /// Its number at the daemon.
    pub(crate) number: String,
    /// Its state, in the original's words.
    pub(crate) state: String,
    /// Its node.
    pub(crate) path: PathBuf,
    /// Its serial number, if known.
    pub(crate) serial: Option<Serial>,
    /// Its expected serial number, if the person who added it named one.
    pub(crate) expected: Option<Serial>,
}

impl Driven {
    /// Reports whether its node is `path`, by that name or another.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        self.path == path || matches!((fs::canonicalize(&self.path), fs::canonicalize(path)), (Ok(a), Ok(b)) if a == b)
    }
}

impl Daemon {
    /// Connects to the daemon. Returns `None` if none runs.
    ///
    /// # Errors
    /// [`ClientError`] if a daemon runs but cannot be used.
    pub(crate) fn find(socket: &Path) -> Result<Option<Self>, ClientError> {
        match Client::connect(socket) {
            Ok(client) => Ok(Some(Self { client })),
            Err(error) if error.is_no_daemon() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists the keys that it drives.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn keys(&mut self) -> Result<Vec<Driven>, ClientError> {
        let answer = self.client.request(&Command::ListEntropyKeys)?;
        let mut keys: Vec<Driven> = answer.lines.iter().skip(1).map(|line| driven(line)).collect();
        // The original does not answer this.
        let status = self.client.status().ok();
        for told in status.iter().flat_map(|status| &status.keys) {
            if let Some(key) = keys.iter_mut().find(|key| key.number == told.number.to_string()) {
                key.expected = told.expected_serial.as_deref().and_then(|serial| serial.parse().ok());
            }
        }
        Ok(keys)
    }

    /// Asks for the path of its keyring. `None` if it does not say, like the original.
    pub(crate) fn keyring(&mut self) -> Option<PathBuf> {
        self.client.status().ok().map(|status| status.keyring.path.into())
    }

    /// Makes it release a key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn release(&mut self, key: &Driven) -> Result<(), ClientError> {
        self.client.request(&Command::RemoveEntropyKey(key.number.clone())).map(drop)
    }

    /// Makes it drive a key. Succeeds if it already does: a daemon that discovers keys may have been faster.
    ///
    /// # Errors
    /// [`ClientError`].
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

    /// Makes it read this keyring from now on. Returns its answer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn read_keyring(&mut self, path: &Path) -> Result<String, ClientError> {
        self.client.request(&Command::Keyring(path.display().to_string())).map(|answer| answer.text)
    }
}

/// Reads a line of the answer. Its columns: NR, OK, Status, Path, SerialNo.
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
