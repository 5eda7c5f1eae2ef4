//! libusb's errors, as this crate's.

use std::io;
use std::path::Path;

use nix::errno::Errno;

use crate::LinkError;

/// The error of taking hold of a device.
pub(super) fn open(path: &Path, error: rusb::Error) -> LinkError {
    match error {
        rusb::Error::NoDevice => LinkError::Gone,
        rusb::Error::Busy => LinkError::Busy { path: path.to_owned() },
        rusb::Error::Access => LinkError::open(path, Errno::EACCES),
        other => LinkError::Open { path: path.to_owned(), source: io::Error::other(other) },
    }
}

/// The error of a transfer.
pub(super) fn broken(path: &Path, error: rusb::Error) -> LinkError {
    match error {
        rusb::Error::NoDevice => LinkError::Gone,
        other => LinkError::Io { path: path.to_owned(), source: io::Error::other(other) },
    }
}
