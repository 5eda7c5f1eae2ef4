//! What can go wrong in the tool, and the exit code for it.

use std::io;
use std::path::PathBuf;

use ekey_control::ClientError;
use ekey_keyring::KeyringError;
use ekey_proto::Serial;
use thiserror::Error;

use crate::secret::SecretError;

/// Why a verb failed.
#[derive(Debug, Error)]
pub(crate) enum Problem {
    /// The daemon was not reached, or not understood.
    #[error(transparent)]
    Daemon(#[from] ClientError),
    /// The keyring cannot be read or changed.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// There is nothing to remove.
    #[error("{}: has no key {serial}; see ekey-ctl keyring list", path.display())]
    NotInKeyring {
        /// The key.
        serial: Serial,
        /// The keyring.
        path: PathBuf,
    },
    /// No secret was handed in.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A file that was named.
    #[error("{}: cannot read: {source}; correct the path", path.display())]
    Unreadable {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is to be made.
    #[error("{}: cannot be made: {source}; {}", path.display(), advice_on_making(source))]
    Unmade {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that was to be written.
    #[error("{}: cannot write: {source}; {}", path.display(), if source.kind() == io::ErrorKind::AlreadyExists { "name another, or give --force" } else { "name another path" })]
    Unwritable {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is being written.
    #[error("{}: cannot be written: {source}; is the disk full?", path.display())]
    Unwritten {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon has no EGD server that can be asked.
    #[error("the daemon hands out no bytes: {0}")]
    NoEgd(String),
    /// There is too little to be judged.
    #[error("{0} bytes are too few to be judged: give 2500 or more, a million if you can")]
    TooFew(u64),
    /// Clients of whom nothing is known.
    #[error("what do these clients do? Say it with --habit boot, gpg, tls, steady:BYTES_PER_S or burst:BYTES/EVERY")]
    NoHabit,
    /// A simulation that nobody wants to wait for.
    #[error("{requests:.0} requests are too many to simulate, {most:.0} would do: give fewer --hours")]
    TooMuch {
        /// What was asked for.
        requests: f64,
        /// What there may be.
        most: f64,
    },
    /// A configuration is wrong: its mistakes, each with its place.
    #[error("the configuration has mistakes; correct them first\n{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// Standard output is gone.
    #[error("cannot write the output: {0}; is the disk full?")]
    Output(#[from] io::Error),
    /// Our own JSON.
    #[error("cannot write the JSON: {0}")]
    Json(#[from] serde_json::Error),
}

fn advice_on_making(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AlreadyExists => "nothing is overwritten: name another file, or remove this one",
        _ => "name another place",
    }
}

impl Problem {
    /// 3 where there is no daemon, 4 for everything else; 0 to 2 belong to the verbs.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Daemon(error) if error.is_no_daemon() => 3,
            _ => 4,
        }
    }
}
