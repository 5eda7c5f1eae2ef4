//! The user that the daemon becomes if it was started by root.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{User, fchown, geteuid, initgroups, setresgid, setresuid};
use rustix::thread::set_keep_capabilities;

use crate::config::RunAs;

/// The user that the packages and the unit give the daemon.
const USUAL: &str = "ekeyd";

/// Why the daemon cannot be the user that it is to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    /// There is no such user (config).
    #[error("there is no user `{0}`: make one, or correct `user` in [sandbox]")]
    Missing(String),
    /// The list of users cannot be read, or the kernel refuses (host).
    #[error("cannot become the user `{name}`: {errno}; start it as that user, or set user = \"root\" in [sandbox]")]
    Refused {
        /// The user.
        name: String,
        /// What the system said.
        errno: Errno,
    },
}

/// A user to become.
pub(super) struct Account {
    user: User,
    /// Whether the configuration names it, and did not leave it to what there is.
    is_named: bool,
}

/// The user to become, if this process is root's and there is one.
///
/// # Errors
/// [`AccountError`] if the one that the configuration names cannot be found.
pub(super) fn wanted(run_as: &RunAs) -> Result<Option<Account>, AccountError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let (name, is_named) = match run_as {
        RunAs::Usual => (USUAL, false),
        RunAs::Named(name) => (name.as_str(), true),
    };
    let found = User::from_name(name).map_err(|errno| AccountError::Refused { name: name.to_owned(), errno });
    match found {
        Ok(Some(user)) if user.uid.is_root() => Ok(None),
        Ok(Some(user)) => Ok(Some(Account { user, is_named })),
        Ok(None) if is_named => Err(AccountError::Missing(name.to_owned())),
        Err(error) if is_named => Err(error),
        Ok(None) | Err(_) => Ok(None),
    }
}

impl Account {
    /// Becomes it, with its groups and with what capabilities the process has, and leaves it the keyring if that is root's.
    /// Returns whether the process is root's still: where root itself may not become another, unless that other was named.
    ///
    /// # Errors
    /// [`AccountError::Refused`].
    pub(super) fn become_it(&self, keyring: Option<&Path>) -> Result<bool, AccountError> {
        if let Some(keyring) = keyring
            && let Err(error) = self.leave(keyring)
        {
            tracing::warn!("{}: cannot be left to the user {}: {error}", keyring.display(), self.user.name);
        }
        match self.switch() {
            Ok(()) => Ok(false),
            Err(errno) if self.is_named => Err(AccountError::Refused { name: self.user.name.clone(), errno }),
            Err(errno) => {
                tracing::warn!("stays root: cannot become the user {}: {errno}", self.user.name);
                Ok(true)
            }
        }
    }

    fn switch(&self) -> nix::Result<()> {
        let name = std::ffi::CString::new(self.user.name.as_bytes()).map_err(|_| Errno::EINVAL)?;
        set_keep_capabilities(true).map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
        initgroups(&name, self.user.gid)?;
        setresgid(self.user.gid, self.user.gid, self.user.gid)?;
        setresuid(self.user.uid, self.user.uid, self.user.uid)?;
        Ok(())
    }

    /// As `ekeyd.conf` of tmpfiles.d does it where there is systemd. Never what a link leads to, nor what has another name too:
    /// root gives away nothing but a keyring of its own.
    fn leave(&self, keyring: &Path) -> io::Result<()> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(keyring) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let found = file.metadata()?;
        if found.is_file() && found.uid() == 0 && found.nlink() == 1 {
            fchown(&file, Some(self.user.uid), Some(self.user.gid))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_is_named_and_missing_is_an_error_and_the_usual_one_may_be_missing() {
        if !geteuid().is_root() {
            return assert!(matches!(wanted(&RunAs::Named("nobody-has-this".to_owned())), Ok(None)));
        }
        let refused = wanted(&RunAs::Named("nobody-has-this".to_owned())).err().map(|error| error.to_string());
        assert!(refused.as_deref().is_some_and(|words| words.contains("nobody-has-this")), "{refused:?}");
        assert!(matches!(wanted(&RunAs::Named("root".to_owned())), Ok(None)), "root stays root");
        assert!(wanted(&RunAs::Usual).is_ok());
    }

    #[test]
    fn only_a_keyring_of_root_with_one_name_is_given_away() {
        let Ok(Some(account)) = wanted(&RunAs::Named("nobody".to_owned())) else { return };
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let owner = |name: &str| std::fs::metadata(path(name)).unwrap().uid();
        for name in ["keyring", "twice", "pointed-at"] {
            std::fs::write(path(name), "").unwrap();
        }
        std::fs::hard_link(path("twice"), path("other")).unwrap();
        std::os::unix::fs::symlink(path("pointed-at"), path("link")).unwrap();
        account.leave(&path("keyring")).unwrap();
        account.leave(&path("twice")).unwrap();
        account.leave(&path("none")).unwrap();
        assert!(account.leave(&path("link")).is_err(), "a link was followed");
        assert_eq!([owner("keyring"), owner("twice"), owner("pointed-at")], [account.user.uid.as_raw(), 0, 0]);
    }
}
