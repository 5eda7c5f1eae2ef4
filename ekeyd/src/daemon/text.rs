//! Gives back the code that only starting needed: it is a good part of the daemon's memory, and the daemon runs for years.
//!
//! The pages of a program's text stay mapped once they were used, configuration parser and all. Here they are unmapped; those that
//! are used again come back from the page cache, a few microseconds each.
#![expect(unsafe_code, reason = "madvise takes an address")]

use std::fs;
use std::ptr::{NonNull, with_exposed_provenance_mut};

use nix::sys::mman::{MmapAdvise, madvise};

/// Unmaps the text of the program and its libraries. Where that cannot be done, nothing is lost but memory.
pub(super) fn give_back() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    for (start, len) in maps.lines().filter_map(text) {
        let Some(address) = NonNull::new(with_exposed_provenance_mut(start)) else { continue };
        // SAFETY: the mapping is one of a file, private and never writable, so each page can be had again from that file.
        let outcome = unsafe { madvise(address, len, MmapAdvise::MADV_DONTNEED) };
        if let Err(errno) = outcome {
            tracing::debug!("cannot give back memory: {errno}");
        }
    }
}

/// The address and length of a mapping, if it is the text of a file: readable, executable, private.
fn text(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let is_text = words.next()? == "r-xp";
    let path = words.nth(3)?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let is_file = path.starts_with('/');
    (is_text && is_file).then_some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_of_files_is_given_back() {
        let place = Some((0x1000, 0x2000));
        assert_eq!(text("1000-3000 r-xp 00001000 fe:00 42 /usr/sbin/ekeyd"), place);
        for other in [
            "1000-3000 r--p 00001000 fe:00 42 /usr/sbin/ekeyd",
            "1000-3000 rw-p 00001000 fe:00 42 /usr/sbin/ekeyd",
            "1000-3000 rwxp 00000000 00:00 0",
            "1000-3000 r-xp 00000000 00:00 0 [vdso]",
            "",
        ] {
            assert_eq!(text(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_after_it() {
        give_back();
        assert_eq!(text("x"), None);
    }
}
