//! Errors around a software key: files, its plug, the system. The key itself cannot fail.

use std::io;
use std::path::{Path, PathBuf};

/// Why a software key cannot run or continue. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A file cannot be read, made or written.
    #[error("cannot {action} {}: {source}; {advice}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A key file does not hold a key.
    #[error("{}: not a {what}: {reason}; correct the file, or delete it to have a new one made", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// The kind of key that was expected.
        what: &'static str,
        /// What is wrong, without any part of the key.
        reason: String,
    },
    /// Another kind of file is where the key should plug in.
    #[error("{} exists and is not a {what}; choose another path, or delete it", path.display())]
    Occupied {
        /// The place.
        path: PathBuf,
        /// The kind of file that may be there.
        what: &'static str,
    },
    /// Another program listens on the socket.
    #[error("another program listens on {}; stop it, or choose another path", path.display())]
    Live {
        /// The socket.
        path: PathBuf,
    },
    /// The system refuses something that the plug needs.
    #[error("cannot {action}: {source}; {advice}")]
    System {
        /// What was tried, as a verb.
        action: &'static str,
        /// What to do.
        advice: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl SimError {
    pub(crate) fn file(
        action: &'static str,
        path: &Path,
        advice: &'static str,
    ) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { action, path, advice, source }
    }

    pub(crate) fn system(action: &'static str, advice: &'static str) -> impl FnOnce(nix::Error) -> Self {
        move |errno| Self::System { action, advice, source: errno.into() }
    }
}
