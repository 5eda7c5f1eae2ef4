//! Opens the pipe that fits a path.

use std::fs::{self, FileType};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

#[cfg(feature = "usb")]
use crate::usb;
use crate::{Interrupt, Link, LinkError, find, tty, unix};

/// Opens the key behind `path`: a tty, a usbfs node, or a unix socket that a program listens on. Symbolic links are followed, so
/// `/dev/entropykey/SERIAL` is as good as the device itself.
///
/// Until it is closed, the link has the key to itself. `interrupt` ends reads on it. Opening a socket may take two seconds if its
/// listener is slow to accept; a tty or a USB device opens at once. A usbfs node takes the key from the kernel's driver: the key's
/// tty goes, and comes back when the link is closed.
///
/// # Errors
/// [`LinkError::Busy`] when another program has the key, [`LinkError::NotAKey`] when there can be no key behind `path`,
/// [`LinkError::Gone`] when the key was pulled out on the way, else [`LinkError::Open`].
pub fn open(path: &Path, interrupt: &Interrupt) -> Result<Box<dyn Link>, LinkError> {
    let metadata = fs::metadata(path).map_err(|source| LinkError::Open { path: path.to_owned(), source })?;
    check_kind(path, metadata.file_type())?;
    if metadata.file_type().is_socket() {
        return Ok(Box::new(unix::Unix::connect(path, interrupt)?));
    }
    match find::usb_address(metadata.rdev()) {
        Some(address) => open_usb(path, address, interrupt),
        None => Ok(Box::new(tty::Tty::open(path, interrupt)?)),
    }
}

/// Checks that there can be a key behind `path`, as far as that shows without opening it. A key may be plugged in there later.
///
/// # Errors
/// [`LinkError::NotAKey`].
pub fn check(path: &Path) -> Result<(), LinkError> {
    fs::metadata(path).map_or(Ok(()), |metadata| check_kind(path, metadata.file_type()))
}

fn check_kind(path: &Path, kind: FileType) -> Result<(), LinkError> {
    let what = if kind.is_char_device() || kind.is_socket() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_block_device() {
        "a disk"
    } else {
        "a regular file"
    };
    Err(LinkError::NotAKey { path: path.to_owned(), what })
}

#[cfg(feature = "usb")]
fn open_usb(path: &Path, address: (u16, u16), interrupt: &Interrupt) -> Result<Box<dyn Link>, LinkError> {
    Ok(Box::new(usb::Usb::open(path, address, interrupt)?))
}

/// Without libusb a key can only be opened by its tty.
#[cfg(not(feature = "usb"))]
fn open_usb(path: &Path, _address: (u16, u16), _interrupt: &Interrupt) -> Result<Box<dyn Link>, LinkError> {
    Err(LinkError::NoUsb { path: path.to_owned() })
}
