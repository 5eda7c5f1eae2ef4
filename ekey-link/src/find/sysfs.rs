//! Reads sysfs: small files that may hold anything, and may go at any time.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Longer than any attribute that is read here.
const LONGEST_ATTRIBUTE: u64 = 256;
const MOST_ENTRIES: usize = 64;

/// Returns the text of an attribute without its line end. `None` if it is missing, too long or not text.
pub(super) fn attribute(folder: &Path, name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(folder.join(name)).ok()?.take(LONGEST_ATTRIBUTE + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > LONGEST_ATTRIBUTE {
        return None;
    }
    let text = String::from_utf8(bytes).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// Returns the number that an attribute holds.
pub(super) fn number(folder: &Path, name: &str, radix: u32) -> Option<u16> {
    u16::from_str_radix(attribute(folder, name)?.trim(), radix).ok()
}

/// Returns the last part of a symbolic link's target: for `driver`, the driver's name.
pub(super) fn link_name(folder: &Path, name: &str) -> Option<String> {
    fs::read_link(folder.join(name)).ok()?.file_name()?.to_str().map(str::to_owned)
}

/// Returns the names in a folder; none if the folder is missing.
pub(super) fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.take(MOST_ENTRIES).flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
