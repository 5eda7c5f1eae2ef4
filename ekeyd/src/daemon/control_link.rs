//! The link at the place where the original's control socket was, for the programs that still look there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ekey_control::DEFAULT_SOCKET;

const ORIGINAL: &str = "/run/ekeyd.sock";

/// The link; removed when dropped, if it is still a link to the control socket.
pub(super) struct ControlLink;

impl ControlLink {
    /// Makes the link if the control socket is at its usual place and nothing but an older link is in the way.
    pub(super) fn make(control: &Path) -> Option<Self> {
        if control != Path::new(DEFAULT_SOCKET) {
            return None;
        }
        if fs::symlink_metadata(ORIGINAL).is_ok_and(|metadata| metadata.is_symlink()) {
            // If it cannot be removed, making the new one says why.
            let _ = fs::remove_file(ORIGINAL);
        }
        match symlink(control, ORIGINAL) {
            Ok(()) => Some(Self),
            Err(error) => {
                tracing::warn!(
                    "{ORIGINAL}: cannot link it to the control socket: {error}; old scripts will not find it"
                );
                None
            }
        }
    }
}

impl Drop for ControlLink {
    fn drop(&mut self) {
        if fs::read_link(ORIGINAL).is_ok_and(|target| target == Path::new(DEFAULT_SOCKET)) {
            // Whoever removed it in this moment has done what was to be done.
            let _ = fs::remove_file(ORIGINAL);
        }
    }
}
