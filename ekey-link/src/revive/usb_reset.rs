//! The reset of a USB port: the key's firmware sees a bus reset, as when it was plugged in, but keeps its power.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;

use nix::errno::Errno;

use super::ReviveError;
use crate::find::FoundKey;
use crate::ioctl;

/// Resets the key's USB port. Takes 0.3 to 0.5 s, some seconds if the key does not answer.
///
/// Close the link first: a claim by usbfs does not survive this, and a tty that is held open comes back under another name. Even so
/// look for the key again ([`find::keys`](crate::find::keys)) afterwards.
///
/// # Errors
/// [`ReviveError::Gone`], [`ReviveError::Denied`] (the usbfs node may not be written), or [`ReviveError::Failed`].
pub fn usb_reset(key: &FoundKey) -> Result<(), ReviveError> {
    let failed = |source| ReviveError::of(&key.usbfs, source);
    let node: File = OpenOptions::new().read(true).write(true).open(&key.usbfs).map_err(failed)?;
    match ioctl::reset_usb_device(node.as_fd()) {
        // The key came back as another device, or not at all: it was reset all the same.
        Ok(()) | Err(Errno::ENODEV) => Ok(()),
        Err(errno) => Err(failed(errno.into())),
    }
}
