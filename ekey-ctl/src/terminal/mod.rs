//! The terminal, taken over to draw on it in place, and given back as it was however the program ends.

mod raw;

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

pub(crate) use raw::{Raw, Wake};
use rustix::termios::tcgetwinsize;

/// How large a terminal is taken to be that does not say.
const USUAL: (usize, usize) = (80, 24);
/// Larger than any terminal: what is drawn is bounded by it.
const MOST: (usize, usize) = (500, 200);

/// Columns and lines of the terminal on standard output.
pub(crate) fn size() -> (usize, usize) {
    let Ok(size) = tcgetwinsize(io::stdout()) else { return USUAL };
    let or = |said: u16, usual: usize| if said == 0 { usual } else { usize::from(said) };
    (or(size.ws_col, USUAL.0).min(MOST.0), or(size.ws_row, USUAL.1).min(MOST.1))
}

/// Whether it can be drawn on.
pub(crate) fn is_there() -> bool {
    io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether it shows more than ASCII, as the locale says.
pub(crate) fn shows_unicode() -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    said.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// A second screen in place of the usual one, without a cursor, until this is dropped.
pub(crate) struct Canvas;

impl Canvas {
    /// Changes to it.
    ///
    /// # Errors
    /// Standard output is gone.
    pub(crate) fn open() -> io::Result<Self> {
        let canvas = Self;
        canvas.write("\x1b[?1049h\x1b[?25l\x1b[2J")?;
        Ok(canvas)
    }

    /// Shows these lines in place of those before. They must be as short and as few as the terminal is large.
    ///
    /// # Errors
    /// Standard output is gone.
    pub(crate) fn show(&self, lines: &[String]) -> io::Result<()> {
        self.write(&format!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n")))
    }

    #[expect(clippy::unused_self, reason = "only who has the canvas may draw on it")]
    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        // A terminal that has gone shows nothing anyway.
        let _ = self.write("\x1b[?25h\x1b[?1049l");
    }
}
