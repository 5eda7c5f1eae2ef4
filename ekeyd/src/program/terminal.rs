//! Output to the terminal. Ignores errors, because a closed pipe or a full disk must not end the program.

use std::fmt;
use std::io::{self, Write as _};

/// Prints a line to stdout.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line to stderr.
pub(crate) fn complain(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
