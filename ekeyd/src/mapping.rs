//! A mapping of this process's memory, as the kernel lists them: a line of /proc/self/maps, or the first of each in
//! /proc/self/smaps. Source: proc_pid_maps(5).

/// Where it is, and what may be done with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mapping<'l> {
    /// Its address.
    pub start: usize,
    /// How many bytes it has.
    pub len: usize,
    /// `rwx`, with `-` for what is not allowed, and then `p` for private or `s` for shared.
    pub rights: &'l str,
    /// The file that it is of, or a name such as `[heap]`; empty where there is neither.
    pub name: &'l str,
}

impl<'l> Mapping<'l> {
    /// Reads a line. None if it is another one.
    pub(crate) fn parse(line: &'l str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        let (len, rights) = (end.checked_sub(start)?, words.next()?);
        Some(Self { start, len, rights, name: words.nth(3).unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_mappings_are_read_and_others_are_none() {
        let mapping = |rights, name| Some(Mapping { start: 0x1000, len: 0x2000, rights, name });
        for (line, due) in [
            ("1000-3000 r-xp 00001000 fe:00 42     /usr/sbin/ekeyd", mapping("r-xp", "/usr/sbin/ekeyd")),
            ("1000-3000 rw-p 00000000 00:00 0 [heap]", mapping("rw-p", "[heap]")),
            ("1000-3000 rw-s 00000000 00:00 0", mapping("rw-s", "")),
            ("3000-1000 rw-p 00000000 00:00 0", None),
            ("Rss:                 152 kB", None),
            ("VmFlags: rd mr mw me sd", None),
            ("", None),
        ] {
            assert_eq!(Mapping::parse(line), due, "{line}");
        }
    }
}
