//! Who may own a keyring, and who owns a new one.
//!
//! The daemon may run as its own user, who must be able to read the keyring. Root, who sets long-term keys, must trust
//! a keyring of that user and leave it to that user.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};

use nix::unistd::{User, geteuid};

/// The daemon's user, as in its systemd unit.
const DAEMON: &str = "ekeyd";
const ROOT: u32 = 0;

/// The numbers of a user and a group.
type Owner = (u32, u32);

/// Returns whether to trust a secret file of user `uid`: root, the user of this program, or the daemon's user.
pub fn is_trusted(uid: u32) -> bool {
    uid == ROOT || uid == geteuid().as_raw() || daemon().is_some_and(|(daemon, _)| daemon == uid)
}

/// Sets the owner of `new`, which replaces a file like `old`. Does nothing unless root runs it.
///
/// # Errors
/// The system's error.
pub(crate) fn hand_over(new: &File, old: Option<&Metadata>) -> io::Result<()> {
    let made_by = geteuid().as_raw();
    match heir(old.map(|old| (old.uid(), old.gid())), made_by, daemon()) {
        Some((uid, gid)) => fchown(new, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// Returns the owner of a new keyring: the old one's owner, or the daemon's user if that was root. `None` keeps the
/// maker.
fn heir(old: Option<Owner>, made_by: u32, daemon: Option<Owner>) -> Option<Owner> {
    if made_by != ROOT {
        return None;
    }
    old.filter(|(uid, _)| *uid != ROOT).or(daemon)
}

fn daemon() -> Option<Owner> {
    let user = User::from_name(DAEMON).ok().flatten()?;
    Some((user.uid.as_raw(), user.gid.as_raw()))
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
        assert!(is_trusted(ROOT) && is_trusted(geteuid().as_raw()));
        assert!(!is_trusted(u32::MAX - 7), "no user has that number");
    }
}
