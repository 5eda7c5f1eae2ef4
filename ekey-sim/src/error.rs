//! What can go wrong around a software key: files, the place where it plugs in, the system. The key itself cannot fail.

use std::io;
use std::path::{Path, PathBuf};

/// Why a software key cannot run, or cannot go on. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A file could not be read, made or written.
    #[error("cannot {action} {}: {source}; {advice}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What to look at.
        advice: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A key file holds something else.
    #[error("{} holds no {what}: {reason}; correct the file, or remove it to have one made", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What was due.
        what: &'static str,
        /// What is wrong, without repeating any of it.
        reason: String,
    },
    /// Something that is not ours stands where the key is to plug in.
    #[error("{} is {what}; choose another path, or remove it", path.display())]
    Occupied {
        /// The place.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// A program listens on the socket already.
    #[error("a program listens on {} already; stop it, or choose another path", path.display())]
    Live {
        /// The socket.
        path: PathBuf,
    },
    /// The system refused what the plug needs.
    #[error("cannot {action}: {source}; {advice}")]
    System {
        /// What was tried, as a verb.
        action: &'static str,
        /// What to look at.
        advice: &'static str,
        /// What the system said.
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
