//! Who may own a secret file, and who owns a new keyring.
//!
//! The daemon may run as its own user, who must be able to read the keyring. Root, who sets long-term keys, must trust
//! a keyring of that user and leave it to that user. Root's own files say who that is, never the daemon.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};

use nix::unistd::{User, geteuid};

/// The daemon's default user, as in its systemd unit.
const DEFAULT: &str = "ekeyd";
const ROOT: u32 = 0;

/// The numbers of a user and a group.
pub(crate) type Owner = (u32, u32);

/// Why a file must not be trusted with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Another user owns it.
    #[error("it belongs to user {uid}, who can change it")]
    Foreign {
        /// The owner.
        uid: u32,
    },
    /// Users other than the owner can read or write it.
    #[error("it has mode {mode:04o}, so others can read or change it")]
    Exposed {
        /// Its mode.
        mode: u32,
    },
}

/// Checks that the mode of a file closes it to all but its owner.
///
/// # Errors
/// [`Untrusted::Exposed`].
pub fn check_closed(found: &Metadata) -> Result<(), Untrusted> {
    let mode = found.mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(Untrusted::Exposed { mode }) }
}

/// Checks a secret file: root, the user of this program or the daemon's default user owns it, and its mode closes it to
/// others.
///
/// # Errors
/// [`Untrusted`].
pub fn check_secret(found: &Metadata) -> Result<(), Untrusted> {
    DaemonUser::default().check_secret(found)
}

/// The user as which the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonUser(String);

impl Default for DaemonUser {
    /// Returns the user `ekeyd`.
    fn default() -> Self {
        Self::named(DEFAULT)
    }
}

impl DaemonUser {
    /// Returns the user of this name, as `[sandbox] user` of the daemon's configuration says it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Does the same as [`check_secret`] for a daemon that runs as this user.
    pub(crate) fn check_secret(&self, found: &Metadata) -> Result<(), Untrusted> {
        let uid = found.uid();
        let is_trusted =
            uid == ROOT || uid == geteuid().as_raw() || self.owner().is_some_and(|(daemon, _)| daemon == uid);
        if is_trusted { check_closed(found) } else { Err(Untrusted::Foreign { uid }) }
    }

    /// Returns its numbers, `None` if this machine has no such user.
    pub(crate) fn owner(&self) -> Option<Owner> {
        let user = User::from_name(&self.0).ok().flatten()?;
        Some((user.uid.as_raw(), user.gid.as_raw()))
    }

    /// Returns who gets a new keyring that replaces `old`. `None` keeps the maker.
    pub(crate) fn heir(&self, old: Option<&Metadata>) -> Option<Owner> {
        heir(old.map(|old| (old.uid(), old.gid())), geteuid().as_raw(), self.owner())
    }
}

/// Sets the owner of `new`; `None` leaves it to its maker.
///
/// # Errors
/// The system's error.
pub(crate) fn hand_over(new: &File, heir: Option<Owner>) -> io::Result<()> {
    heir.map_or(Ok(()), |(uid, gid)| fchown(new, Some(uid), Some(gid)))
}

/// Returns the owner of a new keyring: the old one's owner, or the daemon's user if that was root. `None` keeps the
/// maker.
fn heir(old: Option<Owner>, made_by: u32, daemon: Option<Owner>) -> Option<Owner> {
    if made_by != ROOT {
        return None;
    }
    old.filter(|(uid, _)| *uid != ROOT).or(daemon)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Owner = (7, 8);
    const DAEMON: Owner = (990, 991);

    #[test]
    fn a_keyring_keeps_its_owner() {
        assert_eq!(heir(Some(OLD), ROOT, Some(DAEMON)), Some(OLD));
        assert_eq!(heir(Some(OLD), ROOT, None), Some(OLD));
    }

    #[test]
    fn roots_keyring_and_a_new_one_go_to_the_daemon() {
        for old in [None, Some((ROOT, ROOT))] {
            assert_eq!(heir(old, ROOT, Some(DAEMON)), Some(DAEMON), "{old:?}");
            assert_eq!(heir(old, ROOT, None), None, "{old:?}");
        }
    }

    #[test]
    fn only_root_gives_files_away() {
        assert_eq!(heir(Some(OLD), 7, Some(DAEMON)), None);
        assert_eq!(heir(None, 1000, Some(DAEMON)), None);
    }

    #[test]
    fn only_root_the_daemon_and_we_are_trusted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let found = || std::fs::metadata(file.path()).unwrap();
        assert_eq!(check_secret(&found()), Ok(()), "our own");
        if !geteuid().is_root() {
            // Only root can give a file away.
            return;
        }
        fchown(file.as_file(), Some(2), None).unwrap();
        assert_eq!(check_secret(&found()), Err(Untrusted::Foreign { uid: 2 }));
        let name = User::from_uid(2.into()).unwrap().map(|user| user.name);
        if let Some(name) = name {
            assert_eq!(DaemonUser::named(&name).check_secret(&found()), Ok(()), "root's configuration names {name}");
        }
    }
}
