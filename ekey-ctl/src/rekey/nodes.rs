//! Finds the nodes of the keys on this machine without a daemon.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ekey_link::find::{self, FoundKey};
use ekey_proto::Serial;
use nix::unistd::geteuid;

use crate::configured::Configured;

/// Where udev's rules link the ttys of keys, and where the original's USB helper creates their sockets.
const FOLDERS: [&str; 2] = ["/dev/entropykey", "/run/entropykeys"];

/// A key's node, and its serial number if known without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// A tty, a usbfs node, or a unix socket.
    pub(super) path: PathBuf,
    /// The serial number in its USB descriptor.
    pub(super) serial: Option<Serial>,
}

impl Node {
    /// Reports whether it is the key with this serial number, by its USB descriptor or by its name.
    pub(super) fn is(&self, serial: &Serial) -> bool {
        self.serial == Some(*serial) || is_named(&self.path, serial)
    }
}

/// Reports whether the node has the name of this serial number.
pub(super) fn is_named(node: &Path, serial: &Serial) -> bool {
    node.file_name().and_then(|name| name.to_str()).is_some_and(|name| serial.matches_file_name(name))
}

/// Lists every key on USB and every node in the usual folders, each key once.
pub(super) fn usual() -> Vec<Node> {
    once(find::keys().into_iter().map(on_usb).chain(in_folders(trusted_folders())))
}

/// Lists every node that this machine or its configuration says is a key's, without the daemon's word.
pub(super) fn known(configured: &Configured) -> Vec<PathBuf> {
    let on_usb = find::keys().into_iter().flat_map(|key| key.tty.into_iter().chain([key.usbfs]));
    let folders = trusted_folders().chain(configured.folders.iter().map(PathBuf::as_path));
    on_usb.chain(in_folders(folders).into_iter().map(|node| node.path)).chain(configured.nodes.clone()).collect()
}

/// Returns the usual folders; for root only those in which no other user can put a node.
fn trusted_folders<'f>() -> impl Iterator<Item = &'f Path> {
    let is_roots =
        |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.uid() == 0 && found.mode() & 0o022 == 0);
    FOLDERS.into_iter().map(Path::new).filter(move |folder| !geteuid().is_root() || is_roots(folder))
}

/// Prefers the tty, if the kernel made one, like the daemon.
fn on_usb(found: FoundKey) -> Node {
    let serial = found.serial.and_then(|serial| serial.parse().ok());
    Node { path: found.tty.unwrap_or(found.usbfs), serial }
}

fn in_folders<'f>(folders: impl Iterator<Item = &'f Path>) -> Vec<Node> {
    let entries = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut nodes: Vec<Node> = entries.map(|entry| Node { path: entry.path(), serial: None }).collect();
    nodes.sort_by(|one, other| one.path.cmp(&other.path));
    nodes
}

/// Removes duplicates and broken links: one tty may have links in two spellings of its serial number, and be on USB too.
fn once(nodes: impl Iterator<Item = Node>) -> Vec<Node> {
    let mut seen = Vec::new();
    let mut is_new = |node: &Node| match fs::canonicalize(&node.path) {
        Ok(real) if !seen.contains(&real) => {
            seen.push(real);
            true
        }
        _ => false,
    };
    nodes.filter(|node| is_new(node)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_listed_once_and_broken_links_never() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("tty"), "").unwrap();
        fs::create_dir(path("links")).unwrap();
        for (to, name) in [("tty", "A.b"), ("tty", "A_b"), ("gone", "C")] {
            std::os::unix::fs::symlink(path(to), path("links").join(name)).unwrap();
        }
        let (links, missing) = (path("links"), path("missing"));
        let nodes = || in_folders([links.as_path(), missing.as_path()].into_iter()).into_iter();
        let paths: Vec<PathBuf> = once(nodes()).into_iter().map(|node| node.path).collect();
        assert_eq!(paths, [links.join("A.b")]);
        let on_usb = Node { path: path("tty"), serial: "AAAAAAAAAAAAAAAA".parse().ok() };
        assert_eq!(once(std::iter::once(on_usb.clone()).chain(nodes())), [on_usb], "the USB descriptor comes first");
    }

    #[test]
    fn a_node_is_known_by_what_usb_states_or_by_its_name() {
        let serial: Serial = "A/BvBlg3OTBJ+RFD".parse().unwrap();
        let node = |path: &str, serial| Node { path: path.into(), serial };
        assert!(node("/dev/ttyACM0", Some(serial)).is(&serial));
        assert!(node("/dev/entropykey/A.BvBlg3OTBJ+RFD", None).is(&serial));
        assert!(!node("/dev/ttyACM0", None).is(&serial));
    }
}
