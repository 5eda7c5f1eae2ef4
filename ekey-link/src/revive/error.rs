//! Why a step to revive a key could not be done.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// A step that could not be done. None of these says anything about the key's health.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReviveError {
    /// The key is not plugged in any more (key).
    #[error("{}: the key has gone; plug it in again", path.display())]
    Gone {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// This process lacks the right (host).
    #[error("{}: {source}; run as root, or let the daemon's user write there (udev rule, DeviceAllow= and ReadWritePaths= of its unit)", path.display())]
    Denied {
        /// What may not be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel has no switch for the power of this port (host).
    #[error("{}: no such file, so this port's power cannot be switched; it takes Linux 6.0 or later and a hub", path.display())]
    NoSwitch {
        /// The file that would be the switch.
        path: PathBuf,
    },
    /// Other devices would lose their power as well (host).
    #[error("{hub}: has other devices on it ({}), which may lose their power too; move the key to a hub of its own, or allow it", others.join(", "))]
    Neighbours {
        /// The hub that the key hangs on.
        hub: String,
        /// The ports with other devices on it.
        others: Vec<String>,
    },
    /// The step failed (host).
    #[error("{}: {source}; unplug the key and plug it in again, and look at the kernel's log (dmesg)", path.display())]
    Failed {
        /// What was written or asked.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key was switched off and could not be switched on again (host).
    #[error("{}: the key was switched off and not on again ({source}); as root, write {on} to that file", path.display())]
    LeftOff {
        /// The file that is the switch.
        path: PathBuf,
        /// The value to write there.
        on: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl ReviveError {
    pub(super) fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => Self::Gone { path },
            Some(Errno::EACCES | Errno::EPERM | Errno::EROFS) => Self::Denied { path, source },
            _ => Self::Failed { path, source },
        }
    }
}
