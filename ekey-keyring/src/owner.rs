//! Whose the keyring may be, and whose a new one becomes.
//!
//! The daemon may run as a user of its own, who must be able to read the keyring; root, who sets long-term keys, must trust a
//! keyring of that user, and leave it to him.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, fchown};

use nix::unistd::{User, geteuid};

/// The user that the daemon's unit gives it.
const DAEMON: &str = "ekeyd";
const ROOT: u32 = 0;

/// A user and a group, by their numbers.
type Owner = (u32, u32);

/// Whether a secret file of user `uid` can be trusted: it is root's, this program's own, or the daemon's.
pub fn is_trusted(uid: u32) -> bool {
    uid == ROOT || uid == geteuid().as_raw() || daemon().is_some_and(|(daemon, _)| daemon == uid)
}

/// Gives `new`, which is to take the place of a file like `old`, to whom it should belong. Only root gives anything away.
///
/// # Errors
/// Whatever the system says.
pub(crate) fn hand_over(new: &File, old: Option<&Metadata>) -> io::Result<()> {
    let made_by = geteuid().as_raw();
    match heir(old.map(|old| (old.uid(), old.gid())), made_by, daemon()) {
        Some((uid, gid)) => fchown(new, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// To whom a new keyring goes: whoever had the old one, and from root to the daemon, if it has a user of its own. None leaves it as
/// it is.
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
    fn a_keyring_stays_with_whom_it_was() {
        assert_eq!(heir(Some(OLD), ROOT, Some(DAEMON)), Some(OLD));
        assert_eq!(heir(Some(OLD), ROOT, None), Some(OLD));
    }

    #[test]
    fn roots_keyring_and_a_new_one_go_to_the_daemon_if_it_has_a_user_of_its_own() {
        for old in [None, Some((ROOT, ROOT))] {
            assert_eq!(heir(old, ROOT, Some(DAEMON)), Some(DAEMON), "{old:?}");
            assert_eq!(heir(old, ROOT, None), None, "{old:?}");
        }
    }

    #[test]
    fn nobody_but_root_gives_anything_away() {
        assert_eq!(heir(Some(OLD), 7, Some(DAEMON)), None);
        assert_eq!(heir(None, 1000, Some(DAEMON)), None);
    }

    #[test]
    fn roots_and_ones_own_are_trusted_and_a_strangers_is_not() {
        assert!(is_trusted(ROOT) && is_trusted(geteuid().as_raw()));
        assert!(!is_trusted(u32::MAX - 7), "nobody has that number");
    }
}
