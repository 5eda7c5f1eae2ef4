//! What is said on the terminal. Nobody may be listening: a closed pipe or a full disk must not end the program.

use std::fmt;
use std::io::{self, Write as _};

/// Says a line on the standard output.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Says a line on the standard error output.
pub(crate) fn complain(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
