//! What can be wrong with a keyring, whose fault it is, and what to do. No variant holds any part of a key.

use std::io;
use std::path::{Path, PathBuf};

/// Malformed lines that are named one by one, at most.
const MOST_NAMED: usize = 20;

/// A keyring that cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is no such file (config).
    #[error("{}: there is no keyring; make one with `ekey-ctl rekey`, or correct the path", path.display())]
    Missing {
        /// The keyring.
        path: PathBuf,
    },
    /// The file cannot be read (host).
    #[error("{}: cannot read the keyring: {source}; run this as root, or as the user that owns it", path.display())]
    Unreadable {
        /// The keyring.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is a folder, a device or the like (config).
    #[error("{}: the keyring is not a regular file; correct the path", path.display())]
    NotAFile {
        /// The keyring.
        path: PathBuf,
    },
    /// No keyring is that large (config).
    #[error("{}: larger than a keyring can be (1 MiB), or growing while it was read; correct the path", path.display())]
    TooLarge {
        /// The keyring.
        path: PathBuf,
    },
    /// Others than its owner can read or write the file (host).
    #[error("{}: the keyring has mode {mode:04o}, so others may know or change its keys; chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The keyring.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file belongs to neither root, nor the user of this program, nor the daemon's (host).
    #[error("{}: the keyring belongs to user {uid}, who may change its keys; chown root {}", path.display(), path.display())]
    Foreign {
        /// The keyring.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Lines that are neither a comment nor a serial number and a key (config). One a line, at most twenty.
    #[error("{}", shown(path, lines))]
    Malformed {
        /// The keyring.
        path: PathBuf,
        /// The number of each line, counted from 1, and what is wrong with it.
        lines: Vec<(usize, &'static str)>,
    },
    /// The file cannot be written (host); what was there is still there.
    #[error("{}: cannot write the keyring: {source}; see that its folder is there, can be written by you and has room", path.display())]
    Unwritable {
        /// The keyring.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program is changing it (host).
    #[error("{}: another program is changing the keyring; wait until it has ended (fuser -v {} names it), then repeat", path.display(), path.display())]
    Locked {
        /// The keyring.
        path: PathBuf,
    },
}

fn shown(path: &Path, lines: &[(usize, &'static str)]) -> String {
    let path = path.display();
    let mut shown: Vec<String> =
        lines.iter().take(MOST_NAMED).map(|(number, what)| format!("{path}:{number}: {what}")).collect();
    if lines.len() > MOST_NAMED {
        shown.push(format!(
            "{path}: and {} lines more; correct the path if this is no keyring",
            lines.len() - MOST_NAMED
        ));
    }
    shown.join("\n")
}
