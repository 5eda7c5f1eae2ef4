//! Whose word counts about the files of root: never the daemon's.
//!
//! A taken-over daemon could name any file of this machine as its keyring, or any node as a key's. Root writes the first,
//! gives it to the daemon's user, and opens the second. So root follows its own configuration, and stops if the daemon says
//! something else. Other users can give away only what is theirs, and follow the daemon.

use std::path::{Path, PathBuf};

use ekey_keyring::{DEFAULT_KEYRING, DaemonUser};
use nix::unistd::geteuid;
use thiserror::Error;

use crate::configured::{Configured, ConfiguredError};
use crate::daemon::Daemon;

/// Whose word counts.
#[derive(Debug)]
pub(crate) enum Trusted {
    /// The daemon's.
    Daemon,
    /// The configuration's.
    Configuration(Configured),
}

/// Why no keyring is trusted.
#[derive(Debug, Error)]
pub(crate) enum TrustError {
    /// The configuration does not count.
    #[error("{0}; or name the keyring with --keyring")]
    Configured(#[from] ConfiguredError),
    /// The daemon names another keyring than the configuration.
    #[error(
        "the daemon says that its keyring is {}, but {} says {}; root does not take the daemon's word: name the right one with --keyring, or the daemon's configuration with --config",
        theirs.display(), source(file.as_deref()), ours.display()
    )]
    OtherKeyring {
        /// The daemon's.
        theirs: PathBuf,
        /// The configuration's.
        ours: PathBuf,
        /// The configuration, if there is one.
        file: Option<PathBuf>,
    },
}

fn source(file: Option<&Path>) -> String {
    file.map_or_else(|| "the default, for want of a configuration,".to_owned(), |file| file.display().to_string())
}

impl Trusted {
    /// Decides for this user. `config` and `keyring` are the files that the person named.
    ///
    /// # Errors
    /// [`ConfiguredError`].
    pub(crate) fn by(config: Option<&Path>, keyring: Option<&Path>) -> Result<Self, ConfiguredError> {
        if config.is_none() && !geteuid().is_root() {
            return Ok(Self::Daemon);
        }
        match Configured::load(config) {
            // A keyring that the person named needs no configuration.
            Err(_) if config.is_none() && keyring.is_some() => Ok(Self::Configuration(Configured::default())),
            configured => configured.map(Self::Configuration),
        }
    }

    /// Returns the path of the keyring: the named one, else the trusted one, else the default. Always absolute, because the
    /// daemon works in another folder.
    ///
    /// # Errors
    /// [`TrustError::OtherKeyring`].
    pub(crate) fn keyring(&self, named: Option<&Path>, daemon: Option<&mut Daemon>) -> Result<PathBuf, TrustError> {
        if let Some(named) = named {
            return Ok(absolute(named));
        }
        let theirs = daemon.and_then(Daemon::keyring);
        match self {
            Self::Daemon => Ok(absolute(&theirs.unwrap_or_else(|| DEFAULT_KEYRING.into()))),
            Self::Configuration(Configured { keyring, file, .. }) => match theirs {
                Some(theirs) if theirs != *keyring => {
                    Err(TrustError::OtherKeyring { theirs, ours: keyring.clone(), file: file.clone() })
                }
                _ => Ok(keyring.clone()),
            },
        }
    }

    /// Returns the daemon's user, who gets a keyring that root makes.
    pub(crate) fn user(&self) -> DaemonUser {
        match self {
            Self::Daemon => DaemonUser::default(),
            Self::Configuration(configured) => configured.user.clone(),
        }
    }
}

/// Makes a path absolute.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
