//! The path of the original's control socket, for the programs that still use it, and for its configuration.
//!
//! Only root may make a file in `/run`, and the daemon need not be root. So its socket is in a folder of its own, with a link at
//! the old path: the daemon makes it if it may, else the system at boot (`udev/ekeyd.tmpfiles`).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ekey_control::DEFAULT_SOCKET;

const ORIGINAL: &str = "/run/ekeyd.sock";
/// The same path through the link `/var/run`, as the configuration shipped with the original has it.
const ORIGINAL_BY_VAR: &str = "/var/run/ekeyd.sock";

/// Returns where to make the socket for a configured path `control`: there, unless the link goes there.
pub(super) fn socket_for(control: &Path) -> &Path {
    let is_original = [ORIGINAL, ORIGINAL_BY_VAR].iter().any(|place| control == Path::new(place));
    if is_original { Path::new(DEFAULT_SOCKET) } else { control }
}

/// The link. Dropping it removes the link, unless another has replaced it.
#[derive(Debug)]
pub(super) struct ControlLink {
    path: PathBuf,
    target: PathBuf,
}

impl ControlLink {
    /// Makes the link if `socket` is at the default path and only an older link is in the way. Does not touch, and so never
    /// removes, a link that already leads there.
    pub(super) fn make(socket: &Path) -> Option<Self> {
        (socket == Path::new(DEFAULT_SOCKET)).then(|| Self::at(Path::new(ORIGINAL), socket)).flatten()
    }

    fn at(link: &Path, socket: &Path) -> Option<Self> {
        if let Ok(target) = fs::read_link(link) {
            // A relative target counts from the link's own folder.
            if link.parent().is_some_and(|folder| folder.join(target) == socket) {
                return None;
            }
            // If it cannot be removed, making the new one says why.
            let _ = fs::remove_file(link);
        }
        match symlink(socket, link) {
            Ok(()) => Some(Self { path: link.to_owned(), target: socket.to_owned() }),
            Err(error) => {
                let (link, socket) = (link.display(), socket.display());
                tracing::info!(
                    "{link}: cannot make this link to the control socket: {error}; for the original's programs, make it \
                     as root: ln -s {socket} {link}"
                );
                None
            }
        }
    }
}

impl Drop for ControlLink {
    fn drop(&mut self) {
        if fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            // If it was removed in this moment, nothing is left to do.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_path_means_the_default_socket() {
        for place in ["/run/ekeyd.sock", "/var/run/ekeyd.sock"] {
            assert_eq!(socket_for(Path::new(place)), Path::new(DEFAULT_SOCKET), "{place}");
        }
        assert_eq!(socket_for(Path::new("/tmp/x.sock")), Path::new("/tmp/x.sock"));
    }

    #[test]
    fn a_link_that_leads_there_already_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (link, socket) = (folder.path().join("ekeyd.sock"), folder.path().join("ekeyd/control.sock"));
        symlink("ekeyd/control.sock", &link).unwrap();
        assert!(ControlLink::at(&link, &socket).is_none(), "it is another's");
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("ekeyd/control.sock"));
    }

    #[test]
    fn a_wrong_link_is_replaced_and_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (link, socket) = (folder.path().join("ekeyd.sock"), folder.path().join("ekeyd/control.sock"));
        symlink("/nowhere", &link).unwrap();
        let made = ControlLink::at(&link, &socket);
        assert_eq!(fs::read_link(&link).unwrap(), socket);
        drop(made);
        assert!(link.symlink_metadata().is_err(), "the link is still there");
    }

    #[test]
    fn a_socket_in_the_way_stays() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("ekeyd.sock");
        fs::write(&link, "somebody's").unwrap();
        assert!(ControlLink::at(&link, &folder.path().join("s")).is_none());
        assert_eq!(fs::read_to_string(&link).unwrap(), "somebody's");
    }
}
