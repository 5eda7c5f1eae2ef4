//! Keys that are plugged into this machine, found in sysfs.
//!
//! This opens no device and disturbs no key: the kernel read each device's descriptors when it was plugged in, and keeps them as small
//! files below `/sys/bus/usb/devices`. A device may state anything, so we read each file up to a limit and check it before use.

mod found;
mod sysfs;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

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
/// As many links as the kernel follows, path_resolution(7).
const MOST_LINKS: usize = 40;

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

/// Returns whether two paths name one node, by a link or a second name, or will once it is there. A key behind it counts once.
#[must_use]
pub fn is_same_node(one: &Path, other: &Path) -> bool {
    let (one, other) = (followed(one), followed(other));
    one == other || identity(&one).is_some_and(|node| identity(&other) == Some(node))
}

/// Returns what the kernel knows a node by: its device number, or that of its file.
fn identity(path: &Path) -> Option<(bool, u64, u64)> {
    let found = fs::metadata(path).ok()?;
    let is_device = found.file_type().is_char_device();
    Some(if is_device { (true, found.rdev(), 0) } else { (false, found.dev(), found.ino()) })
}

/// Follows symbolic links, also to a path where nothing is yet.
fn followed(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map(|folder| folder.join(&target)).unwrap_or(target);
    }
    path
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

    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::{is_same_node, usb_address};

    #[test]
    fn a_node_has_one_identity_under_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, other, link, second, missing, dangling] =
            ["socket", "other", "link", "second", "missing", "dangling"].map(|name| folder.path().join(name));
        let _listeners = [&socket, &other].map(|path| UnixListener::bind(path).unwrap());
        std::fs::hard_link(&socket, &second).unwrap();
        symlink("socket", &link).unwrap();
        symlink(&missing, &dangling).unwrap();
        for (one, two) in [(&socket, &socket), (&socket, &link), (&link, &second), (&missing, &dangling)] {
            assert!(is_same_node(one, two) && is_same_node(two, one), "{one:?} and {two:?}");
        }
        for (one, two) in [(&socket, &other), (&link, &other), (&socket, &missing), (&missing, &other)] {
            assert!(!is_same_node(one, two) && !is_same_node(two, one), "{one:?} and {two:?}");
        }
        let pty = nix::pty::openpty(None, None).unwrap();
        let tty = nix::unistd::ttyname(&pty.slave).unwrap();
        symlink(&tty, folder.path().join("tty")).unwrap();
        assert!(is_same_node(&tty, &folder.path().join("tty")) && !is_same_node(&tty, "/dev/null".as_ref()));
    }

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
