//! Reading sysfs: small files that may say anything, or be gone by the time they are read.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// Longer than any attribute that is read here.
const LONGEST_ATTRIBUTE: u64 = 256;
const MOST_ENTRIES: usize = 64;

/// What an attribute says, without the line's end. None if it is missing, too long or no text.
pub(super) fn attribute(folder: &Path, name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(folder.join(name)).ok()?.take(LONGEST_ATTRIBUTE + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > LONGEST_ATTRIBUTE {
        return None;
    }
    let text = String::from_utf8(bytes).ok()?;
    Some(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// What an attribute says, as a number.
pub(super) fn number(folder: &Path, name: &str, radix: u32) -> Option<u16> {
    u16::from_str_radix(attribute(folder, name)?.trim(), radix).ok()
}

/// The last part of where a symbolic link points to: for `driver`, the driver's name.
pub(super) fn link_name(folder: &Path, name: &str) -> Option<String> {
    fs::read_link(folder.join(name)).ok()?.file_name()?.to_str().map(str::to_owned)
}

/// The names in a folder; none if there is no such folder.
pub(super) fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.take(MOST_ENTRIES).flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
