//! Writes the cpio archive ("newc") that the kernel unpacks as its first file system; root owns everything in it.
//!
//! Source: the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const DEVICE: u32 = 0o020_000;

/// An archive that grows in memory. Paths are absolute, as the guest sees them.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
    beneath: Option<PathBuf>,
}

impl Archive {
    /// Makes an archive to unpack over the tree `beneath`, whose folders and links to folders stay as they are.
    pub(super) fn over(beneath: &Path) -> Self {
        Self { beneath: Some(beneath.to_owned()), ..Self::default() }
    }

    /// Adds a folder with the permission bits `mode`, and its parents.
    pub(super) fn folder(&mut self, path: &str, mode: u32) {
        self.parents(path);
        self.own_folder(path, mode);
    }

    /// Adds a file with the permission bits `mode`.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.parents(path);
        self.entry(path, FILE | mode, (0, 0), content);
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.parents(path);
        self.entry(path, LINK | 0o777, (0, 0), target.as_bytes());
    }

    /// Adds a character device.
    pub(super) fn device(&mut self, path: &str, mode: u32, major: u32, minor: u32) {
        self.parents(path);
        self.entry(path, DEVICE | mode, (major, minor), &[]);
    }

    /// Copies what is at `host`: a file, a link, or a folder with its contents.
    ///
    /// # Panics
    /// When it cannot be read.
    pub(super) fn copy(&mut self, path: &str, host: &Path) {
        let data = fs::symlink_metadata(host).unwrap_or_else(cannot_read(host));
        let mode = data.permissions().mode() & 0o7777;
        if data.is_symlink() {
            let target = fs::read_link(host).unwrap_or_else(cannot_read(host));
            self.link(path, &target.to_string_lossy());
        } else if data.is_dir() {
            if path != "/" {
                self.folder(path, mode);
            }
            let mut names = fs::read_dir(host)
                .unwrap_or_else(cannot_read(host))
                .map(|entry| entry.unwrap_or_else(cannot_read(host)).file_name())
                .collect::<Vec<_>>();
            names.sort();
            for name in names {
                let below = format!("{}/{}", path.trim_end_matches('/'), name.to_string_lossy());
                self.copy(&below, &host.join(name));
            }
        } else {
            self.file(path, mode, &fs::read(host).unwrap_or_else(cannot_read(host)));
        }
    }

    /// Ends the archive and returns it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("/TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).collect::<Vec<_>>();
        for end in ends {
            self.own_folder(&path[..end], 0o755);
        }
    }

    fn own_folder(&mut self, path: &str, mode: u32) {
        let there = self.beneath.as_ref().is_some_and(|tree| tree.join(&path[1..]).is_dir());
        if !there && self.folders.insert(path.to_owned()) {
            self.entry(path, FOLDER | mode, (0, 0), &[]);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        assert!(path.starts_with('/'), "a path in the guest starts with a slash: {path}");
        let name = &path[1..];
        self.entries += 1;
        let size = |length: usize| u32::try_from(length).expect("a file of a guest is smaller than 4 GiB");
        // inode, mode, uid, gid, links, mtime, size, device, device of the node, name with its final zero, checksum
        let fields = [self.entries, mode, 0, 0, 1, 0, size(content.len()), 0, 0, major, minor, size(name.len()) + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

fn cannot_read<T>(path: &Path) -> impl Fn(std::io::Error) -> T {
    move |error| panic!("{} cannot be read: {error}", path.display())
}
