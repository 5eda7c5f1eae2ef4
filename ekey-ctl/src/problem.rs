//! The errors of the verbs, and their exit codes.

use std::io;
use std::path::PathBuf;

use ekey_control::ClientError;
use ekey_keyring::KeyringError;
use ekey_link::LinkError;
use ekey_proto::Serial;
use thiserror::Error;

use crate::secret::SecretError;
use crate::trusted::TrustError;

/// Why a verb failed.
#[derive(Debug, Error)]
pub(crate) enum Problem {
    /// The daemon did not answer, or not in EKEYD/1.
    #[error(transparent)]
    Daemon(#[from] ClientError),
    /// There can be no key at the path.
    #[error(transparent)]
    NotAKey(#[from] LinkError),
    /// The keyring cannot be read or changed.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No keyring is trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The keyring lacks the key to remove.
    #[error("{}: no long-term key of {serial}; see `ekey-ctl keyring list`", path.display())]
    NotInKeyring { serial: Serial, path: PathBuf },
    /// The person gave no valid secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A file to read (host).
    #[error("{}: cannot read: {source}; correct the path", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A new file (host).
    #[error("{}: cannot create: {source}; {}", path.display(), advice(source, "nothing is overwritten: name another file, or give --force"))]
    Unmade { path: PathBuf, source: io::Error },
    /// A file being written (host).
    #[error("{}: cannot write: {source}; check the free space on its disk; nothing of it is left", path.display())]
    Unwritten { path: PathBuf, source: io::Error },
    /// The daemon drives no key.
    #[error("the daemon drives no key: plug one in, or see `ekey-ctl doctor`")]
    NoKey,
    /// Several keys, and none named.
    #[error("the daemon drives {} keys: name one of {}", names.len(), names.join(", "))]
    WhichKey { names: Vec<String> },
    /// No key has this name.
    #[error("no key is called {wanted}{}; see `ekey-ctl list`", instead(meant.as_deref(), names))]
    NoSuchKey { wanted: String, meant: Option<String>, names: Vec<String> },
    /// The daemon has no EGD server that this tool can use.
    #[error("no bytes from the daemon: {0}")]
    NoEgd(String),
    /// Too few bytes for the tests.
    #[error("{0} bytes are too few for the tests: give at least 2500, better a million")]
    TooFew(u64),
    /// Clients without a habit.
    #[error("--clients without a habit: add --habit boot, gpg, tls, steady:BYTES_PER_S or burst:BYTES/EVERY")]
    NoHabit,
    /// A simulation that would take too long.
    #[error("{requests:.0} requests are too many to simulate, the limit is {most:.0}: give fewer --hours")]
    TooMuch {
        /// Requests of this simulation.
        requests: f64,
        /// The limit.
        most: f64,
    },
    /// The mistakes of a configuration, each with its place.
    #[error("the configuration has mistakes; correct them first\n{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// Standard output failed (host).
    #[error("cannot write the output: {0}; check where it goes")]
    Output(#[from] io::Error),
    /// A defect of this tool.
    #[error("cannot write the JSON: {0}; please report this defect")]
    Json(#[from] serde_json::Error),
}

fn advice<'a>(source: &io::Error, if_it_exists: &'a str) -> &'a str {
    match source.kind() {
        io::ErrorKind::AlreadyExists => if_it_exists,
        _ => "name another path",
    }
}

fn instead(meant: Option<&str>, names: &[String]) -> String {
    match (meant, names) {
        (Some(meant), _) => format!(" (did you mean {meant}?)"),
        (None, []) => ": the daemon drives none".to_owned(),
        (None, names) => format!(": the daemon drives {}", names.join(", ")),
    }
}

impl Problem {
    /// Returns 3 if no daemon runs, 4 otherwise. 0 to 2 belong to the verbs.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Daemon(error) if error.is_no_daemon() => 3,
            _ => 4,
        }
    }
}
