//! What can be wrong with a keyring, who is at fault, and what to do. No variant holds any part of a key.

use std::io;
use std::path::{Path, PathBuf};

/// Most malformed lines that an error names.
const MOST_NAMED: usize = 20;

/// Why a keyring cannot be used or written. The party at fault is in parentheses.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file does not exist (config).
    #[error("{}: the keyring does not exist; make one with `ekey-ctl rekey`, or correct the path", path.display())]
    Missing {
        /// The keyring.
        path: PathBuf,
    },
    /// The file cannot be read (host).
    #[error("{}: cannot read the keyring: {source}; run this as root, or as the user that owns it", path.display())]
    Unreadable {
        /// The keyring.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path is a folder, a device or the like (config).
    #[error("{}: the keyring is not a regular file; correct the path", path.display())]
    NotAFile {
        /// The keyring.
        path: PathBuf,
    },
    /// The path is a symbolic link to a file that does not exist (config).
    #[error("{}: the keyring is a symbolic link to a file that does not exist; remove the link, or make the file it names", path.display())]
    Dangling {
        /// The symbolic link.
        path: PathBuf,
    },
    /// The file is larger than any keyring (config).
    #[error("{}: the file is larger than a keyring can be (1 MiB), or grew while it was read; correct the path", path.display())]
    TooLarge {
        /// The keyring.
        path: PathBuf,
    },
    /// Users other than the owner can read or write the file (host).
    #[error("{}: the keyring has mode {mode:04o}, so others can read or change its keys; chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The keyring.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file does not belong to root, the user of this program or the daemon's user (host).
    #[error("{}: the keyring belongs to user {uid}, who can change its keys; chown root {}", path.display(), path.display())]
    Foreign {
        /// The keyring.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Some lines are neither a comment nor a serial number and a key (config). The message names at most twenty, one
    /// per line.
    #[error("{}", shown(path, lines))]
    Malformed {
        /// The keyring.
        path: PathBuf,
        /// The number of each line, counted from 1, and what is wrong with it.
        lines: Vec<(usize, &'static str)>,
    },
    /// The file cannot be written (host). The old keyring is unchanged.
    #[error("{}: cannot write the keyring: {source}; check that its folder exists, is writable for you and has space", path.display())]
    Unwritable {
        /// The keyring.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Users other than root and the daemon's can change a folder, so root does not write in it (host).
    #[error("{}: user {uid} or others (mode {mode:04o}) can change this folder, so root writes no keyring there; name one with --keyring in a folder that only root can change, or change its owner and mode", path.display())]
    OpenFolder {
        /// The folder of the keyring, or one on the way to it.
        path: PathBuf,
        /// Its owner.
        uid: u32,
        /// Its mode.
        mode: u32,
    },
    /// Another program is changing it (host).
    #[error("{}: another program is changing the keyring; wait until it ends (fuser -v {} shows it), then try again", path.display(), path.display())]
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
            "{path}: {} more malformed lines; correct the path if this is not a keyring",
            lines.len() - MOST_NAMED
        ));
    }
    shown.join("\n")
}
