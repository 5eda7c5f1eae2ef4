//! The user that the daemon becomes if it was started by root.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, User, fchown, geteuid, initgroups, setresgid, setresuid};
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

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    uid: Uid,
    gid: Gid,
}

/// A user to become.
pub(super) struct Account {
    user: Entry,
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
    match found(name, is_named) {
        Ok(Some(user)) if user.uid.is_root() => Ok(None),
        Ok(Some(user)) => Ok(Some(Account { user, is_named })),
        Ok(None) if is_named => Err(AccountError::Missing(name.to_owned())),
        Err(errno) if is_named => Err(AccountError::Refused { name: name.to_owned(), errno }),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// The name of the user that this process is, or the number where this machine has none.
pub(super) fn own_name() -> String {
    let own = geteuid();
    local(|_, uid| uid == own).map_or_else(|| own.to_string(), |entry| entry.name)
}

/// The user of that name: of this machine, or, where the configuration names it, of wherever the C library looks. That loads
/// libraries as large as this program.
fn found(name: &str, anywhere: bool) -> nix::Result<Option<Entry>> {
    let here = local(|other, _| other == name);
    if here.is_some() || !anywhere {
        return Ok(here);
    }
    Ok(User::from_name(name)?.map(|user| Entry { name: user.name, uid: user.uid, gid: user.gid }))
}

/// The first user of passwd(5) that it is.
fn local(is_it: impl Fn(&str, Uid) -> bool) -> Option<Entry> {
    let users = BufReader::new(File::open("/etc/passwd").ok()?).lines().map_while(Result::ok);
    let mut entries = users.filter_map(|line| entry(&line));
    entries.find(|entry| is_it(&entry.name, entry.uid))
}

fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.split(':');
    let (name, _password) = (fields.next()?, fields.next()?);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Entry { name: name.to_owned(), uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) })
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
    fn a_line_of_passwd_is_read_and_one_of_another_kind_passed_over() {
        let due = Entry { name: "ekeyd".to_owned(), uid: Uid::from_raw(990), gid: Gid::from_raw(991) };
        assert_eq!(entry("ekeyd:x:990:991:Entropy Key daemon:/nonexistent:/usr/sbin/nologin"), Some(due));
        for other in ["", "+::::::", "# ekeyd:x:1", "ekeyd:x:-1:0::/:"] {
            assert_eq!(entry(other), None, "{other}");
        }
        assert_eq!(local(|_, uid| uid.is_root()).map(|entry| entry.name).as_deref(), Some("root"));
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
