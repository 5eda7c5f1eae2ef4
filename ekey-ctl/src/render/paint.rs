//! Lines with a tone, and how to print them.

use std::env;
use std::io::{self, IsTerminal, Write};

use ekey_control::printable;

use crate::terminal;

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
    /// Columns before the text of a continued line, if the terminal is narrower.
    pub(crate) margin: usize,
}

impl Line {
    pub(crate) fn new(tone: Tone, text: &str) -> Self {
        Self { text: printable(text).trim_end().to_owned(), tone, margin: 0 }
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// Indents what does not fit a terminal's first line.
    pub(crate) fn margin(self, margin: usize) -> Self {
        Self { margin, ..self }
    }

    /// Breaks the line between words into lines of `width` columns. A longer word gets its own line.
    fn broken(&self, width: usize) -> Vec<Self> {
        let columns = |text: &str| text.chars().count();
        let margin = if self.margin * 2 > width { 2 } else { self.margin };
        let (mut lines, mut line) = (Vec::new(), String::new());
        for word in self.text.split_inclusive(' ') {
            let is_full = columns(&line) + columns(word.trim_end()) > width;
            if is_full && !line.trim().is_empty() {
                lines.push(std::mem::replace(&mut line, " ".repeat(margin)));
            }
            line.push_str(word);
        }
        lines.push(line);
        lines.into_iter().map(|line| Self { text: line.trim_end().to_owned(), ..self.clone() }).collect()
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
        lines.into_iter().map(|line| Self { text: line, tone, margin: 0 }.fit(width)).collect()
    }
}

/// Replaces all but ASCII, so that each character takes one column.
pub(crate) fn narrow(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// Prints to standard output: broken to the width of a terminal, and in colour there unless the person forbids it. A pipe gets whole
/// lines.
pub(crate) fn print(lines: &[Line]) -> io::Result<()> {
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && wants_colour();
    let mut out = stdout.lock();
    let width = terminal::width();
    let broken = |line: &Line| width.map_or_else(|| vec![line.clone()], |width| line.broken(width));
    for line in &lines.iter().flat_map(broken).collect::<Vec<_>>() {
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

/// Reports whether the person and the terminal allow colour (<https://no-color.org>).
pub(crate) fn wants_colour() -> bool {
    !terminal::is_dumb() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_to_any_width_and_loses_no_word() {
        let text = "ok   access     root may use /dev/ttyACM0 and /dev/bus/usb/001/004 and more than that";
        for width in [20, 60, 80, 132] {
            let lines = Line::plain(text).margin(16).broken(width);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let joined = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ");
            assert_eq!(words(&joined), words(text));
            for line in &lines {
                assert!(line.text.len() <= width || words(&line.text).len() == 1, "{width}: {line:?}");
            }
            if width == 60 {
                assert!(lines[1].text.starts_with(&" ".repeat(16)), "{lines:?}");
            }
        }
    }
}
