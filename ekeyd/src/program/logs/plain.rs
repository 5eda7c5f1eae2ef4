//! Logs to stderr: with time and level for people; for the journal, which adds both, with the level's number.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use tracing::Level;

use super::line::Line;
use super::queue::Sink;

/// Writes each line to stderr.
pub(super) struct Stderr {
    /// A descriptor of its own: a thread that hangs with the lock of [`io::stderr`] would hang others too.
    stderr: Option<File>,
    style: Style,
}

/// How a line looks.
enum Style {
    /// The level's number before the text, as the journal expects it, sd-daemon(3).
    Journal,
    /// Time, level, text.
    Plain,
    /// The same in colours.
    Terminal,
}

impl Stderr {
    /// Opens it in the style that its reader expects.
    pub(super) fn open() -> Self {
        let style = if std::env::var_os("JOURNAL_STREAM").is_some() {
            Style::Journal
        } else if io::stderr().is_terminal() {
            Style::Terminal
        } else {
            Style::Plain
        };
        Self { stderr: io::stderr().as_fd().try_clone_to_owned().ok().map(File::from), style }
    }
}

impl Sink for Stderr {
    fn write(&mut self, line: &Line) {
        let Some(stderr) = &mut self.stderr else { return };
        // A closed pipe or a full disk must not end the program.
        let _ = stderr.write_all(format!("{}\n", text(line, &self.style)).as_bytes());
    }
}

fn text(line: &Line, style: &Style) -> String {
    let Line { time, level, .. } = line;
    let message = line.message();
    match style {
        Style::Journal => format!("<{}>{message}", line.priority()),
        Style::Plain => format!("{time} {level:>5} {message}"),
        Style::Terminal => format!("\x1b[2m{time}\x1b[0m \x1b[{}m{level:>5}\x1b[0m {message}", colour(*level)),
    }
}

/// Returns the level's colour, console_codes(4).
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::logged;
    use super::*;

    #[test]
    fn a_line_has_the_form_that_its_reader_expects() {
        let line = logged(|| tracing::warn!(key = "/dev/ttyACM0", "being\nrevived"));
        let message = "being\\nrevived key=/dev/ttyACM0";
        let time = line.time.clone();
        assert!(time.ends_with('Z') && time.contains('T'), "{time}");
        assert_eq!(text(&line, &Style::Journal), format!("<4>{message}"));
        assert_eq!(text(&line, &Style::Plain), format!("{time}  WARN {message}"));
        assert!(text(&line, &Style::Terminal).ends_with(&format!("\x1b[33m WARN\x1b[0m {message}")));
    }
}
