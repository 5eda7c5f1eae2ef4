//! The usbfs node of a key: opened only if sysfs says that a key is behind it, checked, and then handed to libusb.
//!
//! libusb by itself would open the bus, list every device and parse what each says of itself. Here it gets one open descriptor and
//! looks at nothing else.
#![expect(unsafe_code, reason = "libusb takes the number of a descriptor that must stay open")]

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat;
use nix::unistd::dup3;
use rusb::{Context, DeviceHandle, UsbContext as _};

use super::{failure, open_error};
use crate::LinkError;
use crate::find::{self, FoundKey, PRODUCT, VENDOR};

/// The length of a device descriptor, and where in it vendor and product are (USB 2.0, 9.6.1).
const DESCRIPTOR: usize = 18;
const VENDOR_AT: usize = 8;
const PRODUCT_AT: usize = 10;

/// Returns the key with this bus and device number, by sysfs. Opens nothing.
pub(super) fn key(path: &Path, address: (u16, u16)) -> Result<FoundKey, LinkError> {
    let key = find::keys().into_iter().find(|key| (key.bus, key.device) == address);
    key.ok_or_else(|| {
        let is_there = path.exists();
        if is_there { not_a_key(path, "a USB device of another make") } else { LinkError::Gone }
    })
}

/// Opens the node at `path`, which must be that of the key with this bus and device number, and hands it to libusb. The descriptor
/// must stay open until the handle is dropped.
pub(super) fn open(path: &Path, address: (u16, u16)) -> Result<(DeviceHandle<Context>, OwnedFd), LinkError> {
    // First the one that may fail for lack of rights.
    let whole = checked(path, address, true)?;
    let mut fd: OwnedFd = checked(path, address, false)?.into();
    rusb::disable_device_discovery().map_err(|error| failure::open(path, error))?;
    let context = Context::new().map_err(|error| failure::open(path, error))?;
    // libusb would ask the key at once which configuration is in force. It may only read the descriptor that it gets, so the
    // kernel refuses, and libusb takes the first configuration. Keys have one.
    // SAFETY: the caller keeps `fd` open for longer than the handle; in this function the handle is dropped first.
    let handle = unsafe { context.open_device_with_fd(fd.as_raw_fd()) };
    let handle = handle.map_err(|error| failure::open(path, error))?;
    // From here on the same number is a descriptor that may also write.
    dup3(&whole, &mut fd, OFlag::O_CLOEXEC).map_err(|errno| LinkError::open(path, errno))?;
    Ok((handle, fd))
}

/// Opens the node, and checks by the open descriptor that it is the key's: the path may have changed in between.
fn checked(path: &Path, address: (u16, u16), write: bool) -> Result<File, LinkError> {
    let failed = |source| open_error(path, source);
    let mut node = OpenOptions::new().read(true).write(write).open(path).map_err(failed)?;
    let found = stat::fstat(&node).map_err(|errno| LinkError::open(path, errno))?;
    let mut descriptor = [0; DESCRIPTOR];
    if !is_node_of(&found, address) {
        return Err(not_a_key(path, "a path that changed while it was opened"));
    }
    node.read_exact(&mut descriptor).map_err(failed)?;
    if !is_key(&descriptor) {
        return Err(not_a_key(path, "a USB device of another make"));
    }
    Ok(node)
}

fn not_a_key(path: &Path, what: &'static str) -> LinkError {
    LinkError::NotAKey { path: path.to_owned(), what }
}

fn is_node_of(found: &stat::FileStat, address: (u16, u16)) -> bool {
    let kind = stat::SFlag::from_bits_truncate(found.st_mode & stat::SFlag::S_IFMT.bits());
    kind == stat::SFlag::S_IFCHR && find::usb_address(found.st_rdev) == Some(address)
}

/// Reads a device descriptor as usbfs hands it out, in the machine's byte order.
fn is_key(descriptor: &[u8; DESCRIPTOR]) -> bool {
    let number = |at: usize| u16::from_ne_bytes([descriptor[at], descriptor[at + 1]]);
    (number(VENDOR_AT), number(PRODUCT_AT)) == (VENDOR, PRODUCT)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_descriptor_of_another_make_is_no_key() {
        let mut descriptor = [0; DESCRIPTOR];
        descriptor[VENDOR_AT..][..2].copy_from_slice(&VENDOR.to_ne_bytes());
        assert!(!is_key(&descriptor));
        descriptor[PRODUCT_AT..][..2].copy_from_slice(&PRODUCT.to_ne_bytes());
        assert!(is_key(&descriptor));
        descriptor[VENDOR_AT] ^= 1;
        assert!(!is_key(&descriptor));
    }

    #[test]
    fn a_node_swapped_for_another_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("004");
        symlink("/dev/null", &path).unwrap();
        let refused = checked(&path, (1, 4), false).map(drop).map_err(|error| error.to_string());
        assert!(refused.as_ref().is_err_and(|error| error.contains("changed")), "{refused:?}");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, [0; DESCRIPTOR]).unwrap();
        assert!(matches!(checked(&path, (1, 4), true), Err(LinkError::NotAKey { .. })));
    }

    #[test]
    fn libusb_lists_no_device() {
        rusb::disable_device_discovery().unwrap();
        let Ok(context) = Context::new() else { return println!("this machine has no usbfs") };
        assert_eq!(context.devices().unwrap().len(), 0, "it has looked at the bus");
    }
}
