//! Lines with a tone, and how to print them.

use std::env;
use std::io::{self, IsTerminal, Write};

use ekey_control::printable;

/// The meaning of a line, which gives it a colour on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
    Head,
}

/// One line of output. Never has control characters or others that act on a terminal, whatever the daemon sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl Line {
    pub(crate) fn new(tone: Tone, text: &str) -> Self {
        Self { text: printable(text).trim_end().to_owned(), tone }
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::new(Tone::Plain, text)
    }

    pub(crate) fn bad(text: &str) -> Self {
        Self::new(Tone::Bad, text)
    }

    /// Shortens the line to `width` columns, with `...` at the end, and replaces characters that may take two columns by `?`.
    pub(crate) fn fit(mut self, width: usize) -> Self {
        self.text = narrow(&self.text);
        if self.text.len() > width {
            self.text.truncate(width.saturating_sub(3));
            self.text.push_str("...");
        }
        self
    }

    /// Breaks a text between words into at most `most` lines (at least one) of `width` columns. The last ends in `...` if the text is
    /// longer.
    pub(crate) fn wrapped(tone: Tone, text: &str, width: usize, most: usize) -> Vec<Self> {
        let text = narrow(text);
        let mut lines = vec![String::new()];
        let mut full = most <= 1;
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let last = lines.len() - 1;
            let line = &mut lines[last];
            if line.is_empty() {
                line.push_str(word);
            } else if full || line.len() + 1 + word.len() <= width {
                line.push(' ');
                line.push_str(word);
            } else {
                lines.push(word.to_owned());
                full = lines.len() >= most;
            }
        }
        lines.into_iter().map(|line| Self { text: line, tone }.fit(width)).collect()
    }
}

/// Replaces all but ASCII, so that each character takes one column.
pub(crate) fn narrow(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// Prints to standard output, in colour if it is a terminal and `NO_COLOR` is not set.
pub(crate) fn print(lines: &[Line]) -> io::Result<()> {
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && wants_colour();
    let mut out = stdout.lock();
    for line in lines {
        writeln!(out, "{}", coloured(line, colour))?;
    }
    out.flush()
}

/// Returns the line for a terminal, without a line end.
pub(crate) fn coloured(line: &Line, colour: bool) -> String {
    match (colour, code(line.tone)) {
        (true, Some(code)) => format!("\u{1b}[{code}m{}\u{1b}[0m", line.text),
        _ => line.text.clone(),
    }
}

/// Reports whether the person allows colour (<https://no-color.org>).
pub(crate) fn wants_colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn code(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some("32"),
        Tone::Warn => Some("33"),
        Tone::Bad => Some("1;31"),
        Tone::Head => Some("1"),
    }
}
