//! Chooses the key to rekey: the one that the person named, or the only one.

use std::path::{Path, PathBuf};

use ekey_proto::Serial;
use thiserror::Error;

use super::nodes::{self, Node, is_named};
use super::quoted;
use crate::daemon::Driven;
use crate::trusted::Trusted;

/// The key to rekey.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Its node.
    pub(crate) path: PathBuf,
    /// Its expected serial number, if known.
    pub(crate) serial: Option<Serial>,
    /// The key at the daemon, if the daemon drives it.
    pub(crate) driven: Option<Driven>,
}

/// Why no key was chosen.
#[derive(Debug, Error)]
pub(crate) enum FindError {
    /// There is no key.
    #[error("no key found: plug it in, or name its node with --device PATH")]
    None,
    /// There are several keys.
    #[error("found more than one key; name one by its serial number or with --device: {}", .0.join(", "))]
    Several(Vec<String>),
    /// No key has this serial number.
    #[error("no key {serial}{}; plug it in, or name its node with --device PATH", others(seen))]
    NoSuchKey {
        /// The serial number that the person named.
        serial: Serial,
        /// The keys that were found.
        seen: Vec<String>,
    },
    /// The daemon names a node that root's own look does not show.
    #[error(
        "the daemon says that the key is at {}, but {}; nothing was changed: root does not take the daemon's word, so name the key's node with --device (if the daemon is right: --device {})",
        theirs.display(), elsewhere(known), quoted(theirs)
    )]
    OtherNode {
        /// The daemon's.
        theirs: PathBuf,
        /// Those on USB, in the usual folders and in the configuration.
        known: Vec<PathBuf>,
    },
    /// The node belongs to another key.
    #[error("{}: the daemon drives key {found} there, not {serial}; correct the serial number or --device", path.display())]
    OtherKey {
        /// The node that the person named.
        path: PathBuf,
        /// The key at this node.
        found: Serial,
        /// The serial number that the person named.
        serial: Serial,
    },
}

/// Chooses among the keys that the daemon drives (none without a daemon) and those in the usual places. Where the daemon's word does
/// not count, its key must be at a known node.
///
/// # Errors
/// [`FindError`].
pub(crate) fn choose(
    driven: Vec<Driven>,
    serial: Option<Serial>,
    device: Option<&Path>,
    trusted: &Trusted,
) -> Result<Chosen, FindError> {
    let mut chosen = choose_from(driven, serial, device, nodes::usual)?;
    if let (None, Trusted::Configuration(configured), Some(key)) = (device, trusted, &chosen.driven) {
        chosen.path = known(key, nodes::known(configured))?;
    }
    Ok(chosen)
}

/// Returns the one of the known nodes at which the daemon drives the key.
fn known(key: &Driven, nodes: Vec<PathBuf>) -> Result<PathBuf, FindError> {
    match nodes.iter().find(|node| key.is_at(node)) {
        Some(node) => Ok(node.clone()),
        None => Err(FindError::OtherNode { theirs: key.path.clone(), known: nodes }),
    }
}

fn choose_from(
    driven: Vec<Driven>,
    serial: Option<Serial>,
    device: Option<&Path>,
    nodes: impl FnOnce() -> Vec<Node>,
) -> Result<Chosen, FindError> {
    if let Some(device) = device {
        return at(device, driven, serial);
    }
    let is_meant =
        |key: &Driven| serial.is_none_or(|serial| key.serial == Some(serial) || is_named(&key.path, &serial));
    let mut seen: Vec<String> = driven.iter().map(shown).collect();
    let mut meant: Vec<Driven> = driven.into_iter().filter(is_meant).collect();
    match (meant.len(), meant.pop()) {
        (1, Some(key)) => {
            return Ok(Chosen { path: key.path.clone(), serial: serial.or(key.serial), driven: Some(key) });
        }
        (2.., _) => return Err(FindError::Several(seen)),
        _ => {}
    }
    let nodes = nodes();
    seen.extend(nodes.iter().map(shown_node));
    let mut meant: Vec<Node> = nodes.into_iter().filter(|node| serial.is_none_or(|serial| node.is(&serial))).collect();
    let several = meant.len() > 1;
    match (meant.pop(), serial) {
        (Some(_), None) if several => Err(FindError::Several(seen)),
        (Some(node), _) => Ok(Chosen { path: node.path, serial: serial.or(node.serial), driven: None }),
        (None, Some(serial)) => Err(FindError::NoSuchKey { serial, seen }),
        (None, None) => Err(FindError::None),
    }
}

/// Returns the key at a node that the person named.
fn at(device: &Path, driven: Vec<Driven>, serial: Option<Serial>) -> Result<Chosen, FindError> {
    let path = std::path::absolute(device).unwrap_or_else(|_| device.to_owned());
    let Some(key) = driven.into_iter().find(|key| key.is_at(&path)) else {
        return Ok(Chosen { path, serial, driven: None });
    };
    if let (Some(found), Some(serial)) = (key.serial, serial)
        && found != serial
    {
        return Err(FindError::OtherKey { path, found, serial });
    }
    Ok(Chosen { path, serial: serial.or(key.serial), driven: Some(key) })
}

fn shown(key: &Driven) -> String {
    match key.serial {
        Some(serial) => format!("{serial} at {}", key.path.display()),
        None => key.path.display().to_string(),
    }
}

fn shown_node(node: &Node) -> String {
    match node.serial {
        Some(serial) => format!("{serial} at {}", node.path.display()),
        None => node.path.display().to_string(),
    }
}

fn elsewhere(known: &[PathBuf]) -> String {
    if known.is_empty() {
        return "no key is on USB, and the configuration names none".to_owned();
    }
    let known: Vec<String> = known.iter().map(|path| path.display().to_string()).collect();
    format!("the keys on USB and in the configuration are at {}", known.join(", "))
}

fn others(seen: &[String]) -> String {
    if seen.is_empty() { String::new() } else { format!(" among those found ({})", seen.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "NwBvBlg3OTBJORFD";
    const SLASH: &str = "A/BvBlg3OTBJ+RFD";

    fn serial(text: &str) -> Serial {
        text.parse().expect("a serial number")
    }

    fn driven(number: u8, path: &str, text: Option<&str>) -> Driven {
        let (number, state) = (number.to_string(), "Running OK".to_owned());
        Driven { number, state, path: path.into(), serial: text.map(serial), expected: None }
    }

    fn no_nodes() -> Vec<Node> {
        Vec::new()
    }

    fn node(path: &str) -> Node {
        Node { path: path.into(), serial: None }
    }

    #[test]
    fn an_unnamed_key_is_the_only_one_of_the_daemon() {
        let chosen = choose_from(vec![driven(1, "/k/1", Some(ONE))], None, None, no_nodes).unwrap();
        assert_eq!((chosen.path, chosen.serial), ("/k/1".into(), Some(serial(ONE))));
        assert_eq!(chosen.driven.map(|key| key.number), Some("1".to_owned()));
    }

    #[test]
    fn of_two_keys_one_must_be_named() {
        let both = || vec![driven(1, "/k/1", Some(ONE)), driven(2, "/k/2", Some(SLASH))];
        let refused = choose_from(both(), None, None, no_nodes).unwrap_err().to_string();
        assert!(refused.contains(ONE) && refused.contains(SLASH), "{refused}");
        let chosen = choose_from(both(), Some(serial(SLASH)), None, no_nodes).unwrap();
        assert_eq!(chosen.path, Path::new("/k/2"));
        let chosen = choose_from(both(), None, Some(Path::new("/k/1")), no_nodes).unwrap();
        assert_eq!(chosen.serial, Some(serial(ONE)));
        let refused = choose_from(both(), Some(serial("AAAAAAAAAAAAAAAA")), None, no_nodes).unwrap_err();
        assert!(matches!(refused, FindError::NoSuchKey { .. }), "{refused}");
        let refused = choose_from(both(), Some(serial(SLASH)), Some(Path::new("/k/1")), no_nodes).unwrap_err();
        assert!(matches!(refused, FindError::OtherKey { .. }), "{refused}");
    }

    #[test]
    fn root_opens_only_a_node_that_it_knows() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        std::fs::write(&ours, "").unwrap();
        std::os::unix::fs::symlink(&ours, &theirs).unwrap();
        let key = driven(1, theirs.to_str().unwrap(), Some(ONE));
        assert_eq!(known(&key, vec!["/k/2".into(), ours.clone()]).unwrap(), ours, "not the link, which may change");
        let refused = known(&key, vec!["/k/2".into()]).unwrap_err().to_string();
        assert!(refused.contains("/k/2") && refused.contains(theirs.to_str().unwrap()), "{refused}");
        assert!(known(&key, Vec::new()).is_err());
    }

    #[test]
    fn without_a_daemon_a_node_is_found_by_its_name() {
        let nodes = || vec![node("/n/A.BvBlg3OTBJ+RFD"), node("/n/NwBvBlg3OTBJORFD")];
        let chosen = choose_from(Vec::new(), Some(serial(SLASH)), None, nodes).unwrap();
        assert_eq!((chosen.path, chosen.driven), ("/n/A.BvBlg3OTBJ+RFD".into(), None));
        assert!(matches!(choose_from(Vec::new(), None, None, nodes), Err(FindError::Several(_))));
        let only = || vec![node("/n/ttyACM0")];
        assert_eq!(choose_from(Vec::new(), None, None, only).unwrap().path, Path::new("/n/ttyACM0"));
        assert!(matches!(choose_from(Vec::new(), None, None, no_nodes), Err(FindError::None)));
    }

    #[test]
    fn a_key_without_a_serial_is_known_by_its_node() {
        let keys = vec![driven(1, "/dev/entropykey/A_BvBlg3OTBJ+RFD", None), driven(2, "/k/2", Some(ONE))];
        let chosen = choose_from(keys, Some(serial(SLASH)), None, no_nodes).unwrap();
        assert_eq!(chosen.driven.map(|key| key.number), Some("1".to_owned()));
    }
}
