//! The user that the daemon becomes if root starts it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, User, fchown, geteuid, initgroups, setresgid, setresuid};
use rustix::thread::set_keep_capabilities;

use crate::config::RunAs;

/// The default user, which the packages and the unit create.
const DEFAULT: &str = "ekeyd";

/// Says why the daemon cannot become its configured user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    /// The user does not exist (config).
    #[error("this machine has no user `{0}`; create it, or correct `user` in [sandbox]")]
    Missing(String),
    /// The system cannot look the user up, or the kernel refuses the change (host).
    #[error("cannot become the user `{name}`: {errno}; start ekeyd as that user, or set user = \"root\" in [sandbox]")]
    Refused {
        /// The user.
        name: String,
        /// The system's reason.
        errno: Errno,
    },
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    uid: Uid,
    gid: Gid,
}

/// The user to become.
pub(super) struct Account {
    user: Entry,
}

/// Finds the user to become. Returns `None` if the process does not run as root, or stays root.
///
/// # Errors
/// [`AccountError`] if the configuration names a user that cannot be found.
pub(super) fn wanted(run_as: &RunAs) -> Result<Option<Account>, AccountError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let (name, is_named) = match run_as {
        RunAs::Usual => (DEFAULT, false),
        RunAs::Named(name) => (name.as_str(), true),
    };
    match found(name, is_named) {
        Ok(Some(user)) if user.uid.is_root() => Ok(None),
        Ok(Some(user)) => Ok(Some(Account { user })),
        Ok(None) if is_named => Err(AccountError::Missing(name.to_owned())),
        Err(errno) if is_named => Err(AccountError::Refused { name: name.to_owned(), errno }),
        Ok(None) | Err(_) => Ok(None),
    }
}

/// Returns the name of this process's user, or its number if it has no name.
pub(super) fn own_name() -> String {
    let own = geteuid();
    local(|_, uid| uid == own).map_or_else(|| own.to_string(), |entry| entry.name)
}

/// Finds a user by name in /etc/passwd. If it is not there and `anywhere` is set, asks the C library too, which loads libraries as
/// large as this program.
fn found(name: &str, anywhere: bool) -> nix::Result<Option<Entry>> {
    let here = local(|other, _| other == name);
    if here.is_some() || !anywhere {
        return Ok(here);
    }
    Ok(User::from_name(name)?.map(|user| Entry { name: user.name, uid: user.uid, gid: user.gid }))
}

/// Returns the first user of passwd(5) that matches.
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

/// Makes the state folder if nothing is at its place, and gives it to the user. If that fails, the nonce counter reports it.
pub(super) fn make_state_folder(folder: &Path, account: Option<&Account>) {
    if DirBuilder::new().mode(0o700).create(folder).is_err() {
        return;
    }
    if let Some(account) = account
        && let Err(error) = account.take_over(folder)
    {
        tracing::warn!("{}: cannot hand this over to the user {}: {error}", folder.display(), account.user.name);
    }
}

impl Account {
    /// Gives a folder that root has just made to the user. Follows no link and takes no folder with something in it: another user may
    /// have put one there meanwhile.
    fn take_over(&self, folder: &Path) -> io::Result<()> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(folder)?;
        let found = opened.metadata()?;
        // The number of links counts the folders in it.
        if found.uid() == 0 && found.nlink() <= 2 && fs::read_dir(folder)?.next().is_none() {
            fchown(&opened, Some(self.user.uid), Some(self.user.gid))?;
        }
        Ok(())
    }

    /// Becomes the user, with its groups and the present capabilities, and hands it a keyring that root owns.
    ///
    /// # Errors
    /// [`AccountError::Refused`] if the kernel refuses. The process must end then: it may have changed in part.
    pub(super) fn become_it(&self, keyring: Option<&Path>) -> Result<(), AccountError> {
        if let Some(keyring) = keyring
            && let Err(error) = self.hand_over(keyring)
        {
            tracing::warn!("{}: cannot hand this over to the user {}: {error}", keyring.display(), self.user.name);
        }
        self.switch().map_err(|errno| AccountError::Refused { name: self.user.name.clone(), errno })
    }

    fn switch(&self) -> nix::Result<()> {
        let name = std::ffi::CString::new(self.user.name.as_bytes()).map_err(|_| Errno::EINVAL)?;
        set_keep_capabilities(true).map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
        initgroups(&name, self.user.gid)?;
        setresgid(self.user.gid, self.user.gid, self.user.gid)?;
        setresuid(self.user.uid, self.user.uid, self.user.uid)?;
        Ok(())
    }

    /// Gives root's keyring to the user, as tmpfiles.d does under systemd. Follows no link and skips a file with a second name:
    /// otherwise another user could make root give away any file.
    fn hand_over(&self, keyring: &Path) -> io::Result<()> {
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
    use nix::unistd::getegid;

    use super::*;

    #[test]
    fn only_a_named_user_must_exist() {
        if !geteuid().is_root() {
            return assert!(matches!(wanted(&RunAs::Named("nobody-has-this".to_owned())), Ok(None)));
        }
        let refused = wanted(&RunAs::Named("nobody-has-this".to_owned())).err().map(|error| error.to_string());
        assert!(refused.as_deref().is_some_and(|words| words.contains("nobody-has-this")), "{refused:?}");
        assert!(matches!(wanted(&RunAs::Named("root".to_owned())), Ok(None)), "root stays root");
        assert!(wanted(&RunAs::Usual).is_ok());
    }

    #[test]
    fn a_user_that_cannot_be_had_is_an_error() {
        // The C library cannot take such a name, so this process changes nothing.
        let user = Entry { name: "eke\0yd".to_owned(), uid: geteuid(), gid: getegid() };
        let refused = Account { user }.become_it(None).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("cannot become the user")));
    }

    #[test]
    fn a_passwd_line_is_parsed_and_others_are_skipped() {
        let expected = Entry { name: "ekeyd".to_owned(), uid: Uid::from_raw(990), gid: Gid::from_raw(991) };
        assert_eq!(entry("ekeyd:x:990:991:Entropy Key daemon:/nonexistent:/usr/sbin/nologin"), Some(expected));
        for other in ["", "+::::::", "# ekeyd:x:1", "ekeyd:x:-1:0::/:"] {
            assert_eq!(entry(other), None, "{other}");
        }
        assert_eq!(local(|_, uid| uid.is_root()).map(|entry| entry.name).as_deref(), Some("root"));
    }

    #[test]
    fn only_a_state_folder_made_now_is_handed_over() {
        let Ok(Some(account)) = wanted(&RunAs::Named("nobody".to_owned())) else { return };
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let owner = |name: &str| fs::metadata(path(name)).unwrap().uid();
        fs::create_dir_all(path("other/full")).unwrap();
        std::os::unix::fs::symlink(path("other"), path("link")).unwrap();
        for name in ["new", "other", "link"] {
            make_state_folder(&path(name), Some(&account));
        }
        assert!(account.take_over(&path("link")).is_err(), "a link was followed");
        account.take_over(&path("other")).unwrap();
        assert_eq!([owner("new"), owner("other")], [account.user.uid.as_raw(), 0]);
        assert_eq!(fs::metadata(path("new")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn only_roots_keyring_with_one_name_is_handed_over() {
        let Ok(Some(account)) = wanted(&RunAs::Named("nobody".to_owned())) else { return };
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let owner = |name: &str| fs::metadata(path(name)).unwrap().uid();
        for name in ["keyring", "twice", "pointed-at"] {
            fs::write(path(name), "").unwrap();
        }
        fs::hard_link(path("twice"), path("other")).unwrap();
        std::os::unix::fs::symlink(path("pointed-at"), path("link")).unwrap();
        account.hand_over(&path("keyring")).unwrap();
        account.hand_over(&path("twice")).unwrap();
        account.hand_over(&path("none")).unwrap();
        assert!(account.hand_over(&path("link")).is_err(), "a link was followed");
        assert_eq!([owner("keyring"), owner("twice"), owner("pointed-at")], [account.user.uid.as_raw(), 0, 0]);
    }
}
