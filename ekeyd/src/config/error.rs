//! Mistakes in a configuration, each with its place, in the form of `ekeyd check` and of editors' error lists.

use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};

/// Limit on the mistakes shown.
const MOST_MISTAKES: usize = 100;
/// Limit on the characters shown of one mistake.
const MOST_SHOWN: usize = 400;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read (host).
    #[error("{}: cannot read: {source}; correct the path given with --config, or the file's owner and mode", path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path is a folder, a device or the like (config).
    #[error("{}: not a regular file; name the configuration file itself with --config", path.display())]
    NotAFile {
        /// The path as given.
        path: PathBuf,
    },
    /// No configuration is that large (config).
    #[error("{}: larger than a configuration can be (1 MiB); name another file with --config", path.display())]
    TooLarge {
        /// The path as given.
        path: PathBuf,
    },
    /// The file has mistakes (config): all of them in the order of the file, one a line.
    #[error("{}", Lines(.0))]
    Mistakes(Vec<Mistake>),
}

/// One mistake in a configuration file. Shown as `FILE:LINE:COLUMN: WHAT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The file, as named.
    pub file: PathBuf,
    /// Its line, counted from 1.
    pub line: usize,
    /// Its column in characters, counted from 1.
    pub column: usize,
    /// What is wrong and what is expected.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.display(), self.line, self.column)?;
        // Parts of it come from the file: they may be long, or contain terminal controls.
        let mut shown = self.what.chars().flat_map(printable);
        shown.by_ref().take(MOST_SHOWN).try_for_each(|character| f.write_char(character))?;
        if shown.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let is_plain = matches!(character, '"' | '\'' | '\\');
    let escaped = (!is_plain).then(|| character.escape_debug());
    is_plain.then_some(character).into_iter().chain(escaped.into_iter().flatten())
}

struct Lines<'m>(&'m [Mistake]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().take(MOST_MISTAKES).enumerate() {
            let end_of_the_last = if index == 0 { "" } else { "\n" };
            write!(f, "{end_of_the_last}{mistake}")?;
        }
        match self.0.len().checked_sub(MOST_MISTAKES) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\nand {more} more mistakes; correct these first"),
        }
    }
}

/// A text and its name, to turn offsets into places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'t> {
    file: &'t Path,
    text: &'t str,
}

impl<'t> Source<'t> {
    pub(super) fn new(file: &'t Path, text: &'t str) -> Self {
        Self { file, text }
    }

    /// Returns the line of byte `offset`, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.mistake(offset, String::new()).line
    }

    /// Returns the mistake at byte `offset`, or at the end of the text if that comes first.
    pub(super) fn mistake(&self, offset: usize, what: String) -> Mistake {
        let offset = (0..=offset.min(self.text.len())).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0);
        let before = self.text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Mistake { file: self.file.to_owned(), line, column, what }
    }
}
