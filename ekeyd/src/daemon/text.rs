//! Gives back the code and the constants that only starting needed: they are a good part of the daemon's memory, and the daemon
//! runs for years.
//!
//! The pages of a program's text stay mapped once they were used, configuration parser and all, and so do its constants. Here they
//! are unmapped; those that are used again come back from the page cache, a few microseconds each.
#![expect(unsafe_code, reason = "madvise takes an address")]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::ptr::{NonNull, with_exposed_provenance_mut};

use nix::sys::mman::{MmapAdvise, madvise};

/// Unmaps the text and constants of the program and its libraries. Where that cannot be done, nothing is lost but memory.
pub(super) fn give_back() {
    let Ok(maps) = File::open("/proc/self/smaps") else { return };
    let mut candidate = None;
    // Unmapped while the list is read: that changes no mapping.
    for line in BufReader::new(maps).lines().map_while(Result::ok) {
        if let Some(mapping) = mapping(&line) {
            candidate = mapping;
        }
        if is_as_in_the_file(&line)
            && let Some((start, len)) = candidate.take()
        {
            unmap(start, len);
        }
    }
}

fn unmap(start: usize, len: usize) {
    let Some(address) = NonNull::new(with_exposed_provenance_mut(start)) else { return };
    // SAFETY: the mapping is one of a file, private and not writable, and none of its pages differs from the file, so each can be
    // had again from there.
    let outcome = unsafe { madvise(address, len, MmapAdvise::MADV_DONTNEED) };
    if let Err(errno) = outcome {
        tracing::debug!("cannot give back memory: {errno}");
    }
}

/// What the first line of a mapping says: its address and length if it is of a file, readable, and private, or none if it is
/// another. Nothing for other lines.
fn mapping(line: &str) -> Option<Option<(usize, usize)>> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let is_fixed = ["r-xp", "r--p"].contains(&words.next()?);
    let is_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
    Some(end.checked_sub(start).filter(|_| is_fixed && is_file).map(|len| (start, len)))
}

/// Whether this is the line that says that no page of the mapping is the process's own. What the dynamic loader has written to
/// before it took the right to write away is, and would be lost.
fn is_as_in_the_file(line: &str) -> bool {
    line.strip_prefix("Anonymous:").is_some_and(|size| size.split_ascii_whitespace().next() == Some("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_in_its_file_and_never_written_is_given_back() {
        let place = Some(Some((0x1000, 0x2000)));
        assert_eq!(mapping("1000-3000 r-xp 00001000 fe:00 42 /usr/sbin/ekeyd"), place);
        assert_eq!(mapping("1000-3000 r--p 00001000 fe:00 42 /usr/sbin/ekeyd"), place);
        for other in [
            "1000-3000 rw-p 00001000 fe:00 42 /usr/sbin/ekeyd",
            "1000-3000 rwxp 00000000 00:00 0",
            "1000-3000 r-xp 00000000 00:00 0 [vdso]",
            "1000-3000 r--s 00000000 fe:00 42 /usr/share/x",
        ] {
            assert_eq!(mapping(other), Some(None), "{other}");
        }
        for line in ["Rss:                 152 kB", "VmFlags: rd mr mw me sd", ""] {
            assert_eq!(mapping(line), None, "{line}");
        }
        assert!(is_as_in_the_file("Anonymous:             0 kB"));
        assert!(!is_as_in_the_file("Anonymous:            12 kB") && !is_as_in_the_file("Rss:                   0 kB"));
    }

    #[test]
    fn the_program_goes_on_after_it() {
        give_back();
        // What the loader has relocated is still there: a call through a table of functions.
        let table: &dyn std::fmt::Display = &7;
        assert_eq!(std::hint::black_box(table).to_string(), "7");
    }
}
