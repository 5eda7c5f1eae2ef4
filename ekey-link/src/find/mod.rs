//! Keys that are plugged into this machine, found in sysfs.
//!
//! This opens no device and disturbs no key: the kernel read each device's descriptors when it was plugged in, and keeps them as small
//! files below `/sys/bus/usb/devices`. A device may state anything, so we read each file up to a limit and check it before use.

mod found;
mod sysfs;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::stat::{major, minor};

pub use found::FoundKey;

/// The vendor that a key states (Simtec Electronics).
pub const VENDOR: u16 = 0x20df;
/// The product that a key states.
pub const PRODUCT: u16 = 0x0001;

/// The major number of usbfs nodes (the kernel's devices.txt).
const USBFS_MAJOR: u64 = 189;
/// The most devices of a bus, by the numbering of usbfs nodes.
const DEVICES_A_BUS: u64 = 128;
/// More entries than any machine has.
const MOST_ENTRIES: usize = 4096;
const MOST_KEYS: usize = 256;

/// Returns all keys that are plugged in, driven or not, sorted by port.
#[must_use]
pub fn keys() -> Vec<FoundKey> {
    keys_below(Path::new("/"))
}

/// Returns the keys of a machine whose `/sys` and `/dev` are below `root`.
#[must_use]
pub fn keys_below(root: &Path) -> Vec<FoundKey> {
    let Ok(entries) = fs::read_dir(root.join("sys/bus/usb/devices")) else { return Vec::new() };
    let mut keys: Vec<FoundKey> = entries
        .take(MOST_ENTRIES)
        .flatten()
        .filter_map(|entry| FoundKey::read(root, entry.file_name().to_str()?))
        .take(MOST_KEYS)
        .collect();
    keys.sort_by(|one, other| (one.bus, &one.port).cmp(&(other.bus, &other.port)));
    keys
}

/// Returns the key behind a tty, a usbfs node, or a symbolic link to either. `None` for anything else.
#[must_use]
pub fn behind(path: &Path) -> Option<FoundKey> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.file_type().is_char_device() {
        return None;
    }
    if let Some((bus, device)) = usb_address(metadata.rdev()) {
        return keys().into_iter().find(|key| (key.bus, key.device) == (bus, device));
    }
    let path = fs::canonicalize(path).ok()?;
    keys().into_iter().find(|key| key.tty.as_ref() == Some(&path))
}

/// Returns the bus and the device of a usbfs node by its device number. `None` for any other node.
pub(crate) fn usb_address(rdev: u64) -> Option<(u16, u16)> {
    if major(rdev) != USBFS_MAJOR {
        return None;
    }
    let (bus, device) = (minor(rdev) / DEVICES_A_BUS, minor(rdev) % DEVICES_A_BUS);
    Some((u16::try_from(bus + 1).ok()?, u16::try_from(device + 1).ok()?))
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::makedev;

    use super::usb_address;

    #[test]
    fn a_usbfs_node_tells_bus_and_device_by_its_number() {
        assert_eq!(usb_address(makedev(189, 0)), Some((1, 1)));
        assert_eq!(usb_address(makedev(189, 3)), Some((1, 4)));
        assert_eq!(usb_address(makedev(189, 257)), Some((3, 2)));
    }

    #[test]
    fn a_tty_is_no_usbfs_node() {
        assert_eq!(usb_address(makedev(166, 0)), None);
    }
}
