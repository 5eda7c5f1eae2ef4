//! Draws in place on the terminal, and restores it however the program ends.

mod raw;

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

pub(crate) use raw::{Raw, Wake};
use rustix::termios::tcgetwinsize;

/// The size of a terminal that does not state its own: columns, lines.
const USUAL: (usize, usize) = (80, 24);
/// The limit of a drawing, larger than any terminal: columns, lines.
const MOST: (usize, usize) = (500, 200);

/// Returns columns and lines of the terminal on standard output.
pub(crate) fn size() -> (usize, usize) {
    let Ok(size) = tcgetwinsize(io::stdout()) else { return USUAL };
    let or = |said: u16, usual: usize| if said == 0 { usual } else { usize::from(said) };
    (or(size.ws_col, USUAL.0).min(MOST.0), or(size.ws_row, USUAL.1).min(MOST.1))
}

/// Returns the columns of the terminal on standard output; `None` if it is none.
pub(crate) fn width() -> Option<usize> {
    io::stdout().is_terminal().then(|| size().0)
}

/// Reports whether the terminal can only print lines.
pub(crate) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Reports whether standard output is a terminal to draw on.
pub(crate) fn is_there() -> bool {
    io::stdout().is_terminal() && !is_dumb()
}

/// Reports whether the locale has more than ASCII.
pub(crate) fn shows_unicode() -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()));
    said.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// The terminal's second screen, without a cursor. Dropping it restores the first one.
pub(crate) struct Canvas;

impl Canvas {
    /// Switches to the second screen.
    ///
    /// # Errors
    /// Standard output failed.
    pub(crate) fn open() -> io::Result<Self> {
        let canvas = Self;
        canvas.write("\x1b[?1049h\x1b[?25l\x1b[2J")?;
        Ok(canvas)
    }

    /// Replaces what the screen shows. The lines must fit the terminal.
    ///
    /// # Errors
    /// Standard output failed.
    pub(crate) fn show(&self, lines: &[String]) -> io::Result<()> {
        self.write(&format!("\x1b[H{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n")))
    }

    #[expect(clippy::unused_self, reason = "only the owner of the canvas may draw on it")]
    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = self.write("\x1b[?25h\x1b[?1049l");
    }
}
