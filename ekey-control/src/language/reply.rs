//! Replies: lines that start with `*` and a tab, then one line `OK`, `OK` with a text, or `ERROR` with a text.
//!
//! As seen with the original 1.1.5: a list or a set of numbers ends in a bare `OK`, `AddEntropyKey` in `OK ID 1`, `AddEntropyKeys` in
//! `OK ID 1, ID 2` (bare `OK` when the directory is empty), `Keyring` in `OK` and how many keys it read, everything else in `OK`.
//! Its own tool waits for a line that is exactly `OK` after a list, so [`Reply::lines`] never adds a text there.

use std::fmt;

use crate::printable::printable_columns;

/// The first line a client gets, with its line end.
pub const GREETING: &str = "PROTOCOL EKEYD/1\n";

/// One whole answer of the daemon. No text ends it early: a line end in a path is replaced. Printed, it is what goes onto the socket, each line ended by `\n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    lines: Vec<String>,
    end: String,
}

impl Reply {
    /// `OK`.
    pub fn ok() -> Self {
        Self { lines: Vec::new(), end: "OK".to_owned() }
    }

    /// `OK` and a text, such as `ID 1` for a key that was added.
    pub fn ok_with(text: impl fmt::Display) -> Self {
        Self { lines: Vec::new(), end: format!("OK {}", printable_columns(&text.to_string())) }
    }

    /// The answer to `AddEntropyKey` and `AddEntropyKeys`: the numbers of the keys that were added.
    pub fn added(numbers: &[u32]) -> Self {
        if numbers.is_empty() {
            return Self::ok();
        }
        let ids: Vec<String> = numbers.iter().map(|number| format!("ID {number}")).collect();
        Self::ok_with(ids.join(", "))
    }

    /// Lines, then `OK`. A line may hold tabs between its columns; other control characters become `?`.
    pub fn lines<T: Into<String>>(lines: impl IntoIterator<Item = T>) -> Self {
        let lines = lines.into_iter().map(|line| printable_columns(&line.into())).collect();
        Self { lines, end: "OK".to_owned() }
    }

    /// `ERROR` and a text, which always ends up on one line.
    pub fn error(text: impl fmt::Display) -> Self {
        Self { lines: Vec::new(), end: format!("ERROR {}", printable_columns(&text.to_string())) }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "*\t{line}")?;
        }
        writeln!(f, "{}", self.end)
    }
}

/// One line of a reply, as a client reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyLine<'a> {
    /// What stands after `*` and the tab.
    Data(&'a str),
    /// The end; the text after `OK`, mostly empty.
    Ok(&'a str),
    /// The end; the text after `ERROR`.
    Error(&'a str),
}

impl<'a> ReplyLine<'a> {
    /// Parses a line without its line end. Returns `None` if it is not a line of a reply.
    pub fn parse(line: &'a str) -> Option<Self> {
        if let Some(data) = line.strip_prefix("*\t") {
            return Some(Self::Data(data));
        }
        let (word, text) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "OK" => Some(Self::Ok(text)),
            "ERROR" => Some(Self::Error(text)),
            _ => None,
        }
    }
}
