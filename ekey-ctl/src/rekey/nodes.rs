//! The nodes of the keys on this machine, for when no daemon can be asked.

use std::fs;
use std::path::{Path, PathBuf};

/// Where udev's rules link the ttys of keys, and where the original's USB helper makes their sockets.
const FOLDERS: [&str; 2] = ["/dev/entropykey", "/run/entropykeys"];

/// Every node in the usual folders, sorted, each key once.
pub(super) fn usual() -> Vec<PathBuf> {
    in_folders(FOLDERS.iter().map(Path::new))
}

fn in_folders<'f>(folders: impl Iterator<Item = &'f Path>) -> Vec<PathBuf> {
    let mut nodes: Vec<PathBuf> =
        folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten().map(|entry| entry.path()).collect();
    nodes.sort();
    let mut seen = Vec::new();
    // The same tty may be linked under two spellings of its serial number. What leads nowhere is no key.
    nodes.retain(|node| {
        fs::canonicalize(node).is_ok_and(|real| {
            !seen.contains(&real) && {
                seen.push(real);
                true
            }
        })
    });
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_there_once_and_a_link_to_nowhere_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("tty"), "").unwrap();
        fs::create_dir(path("links")).unwrap();
        for (to, name) in [("tty", "A.b"), ("tty", "A_b"), ("gone", "C")] {
            std::os::unix::fs::symlink(path(to), path("links").join(name)).unwrap();
        }
        let (links, missing) = (path("links"), path("missing"));
        let nodes = in_folders([links.as_path(), missing.as_path()].into_iter());
        assert_eq!(nodes, [links.join("A.b")]);
    }
}
