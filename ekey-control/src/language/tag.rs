//! Tags: how a person names a key to the daemon.
//!
//! As in the original, a tag is a serial number, the key's number, its path, or the last parts of its path (`ttyACM0` and
//! `entropykey/x`, but not `M0`). The end of a serial number is not a tag.

use crate::status::KeyStatus;

/// How well a tag names a key; the better match is the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// It is the serial number.
    Serial,
    /// It is the number.
    Number,
    /// It is the path.
    Path,
    /// It is the end of the path, whole names.
    PathEnd,
}

/// Returns how `tag` names the key with this number, path and serial number; `None` if it does not.
pub fn matches(tag: &str, number: u32, path: &str, serial: Option<&str>) -> Option<Match> {
    if tag.is_empty() {
        None
    } else if serial == Some(tag) {
        Some(Match::Serial)
    } else if number.to_string() == tag {
        Some(Match::Number)
    } else if path == tag {
        Some(Match::Path)
    } else if path.strip_suffix(tag).is_some_and(|before| before.ends_with('/')) {
        Some(Match::PathEnd)
    } else {
        None
    }
}

/// Returns the key that a tag names: the best match, and of equal matches the first.
pub fn find<'a>(keys: &'a [KeyStatus], tag: &str) -> Option<&'a KeyStatus> {
    keys.iter()
        .filter_map(|key| Some((matches(tag, key.number, &key.path, key.known_serial())?, key)))
        .min_by_key(|(how, _)| *how)
        .map(|(_, key)| key)
}
