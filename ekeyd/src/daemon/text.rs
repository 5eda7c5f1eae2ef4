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

use crate::mapping::Mapping;

/// Unmaps the text and constants of the program and its libraries. Where that cannot be done, nothing is lost but memory.
pub(super) fn give_back() {
    let Ok(maps) = File::open("/proc/self/smaps") else { return };
    let mut candidate = None;
    // Unmapped while the list is read: that changes no mapping.
    for line in BufReader::new(maps).lines().map_while(Result::ok) {
        if let Some(mapping) = Mapping::parse(&line) {
            candidate = is_fixed(&mapping).then_some((mapping.start, mapping.len));
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

/// Whether the mapping is of a file, can be read, not written, and is private.
fn is_fixed(mapping: &Mapping<'_>) -> bool {
    ["r-xp", "r--p"].contains(&mapping.rights) && mapping.name.starts_with('/')
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
        for (line, due) in [
            ("1000-3000 r-xp 00001000 fe:00 42 /usr/sbin/ekeyd", true),
            ("1000-3000 r--p 00001000 fe:00 42 /usr/sbin/ekeyd", true),
            ("1000-3000 rw-p 00001000 fe:00 42 /usr/sbin/ekeyd", false),
            ("1000-3000 rwxp 00000000 00:00 0", false),
            ("1000-3000 r-xp 00000000 00:00 0 [vdso]", false),
            ("1000-3000 r--s 00000000 fe:00 42 /usr/share/x", false),
        ] {
            assert_eq!(Mapping::parse(line).as_ref().map(is_fixed), Some(due), "{line}");
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
