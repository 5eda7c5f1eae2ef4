//! Text for one line of the log. Some of it comes from other programs and machines.

use std::fmt::{self, Write};

/// Limit of a text in bytes, so that a line fits into one datagram.
pub(super) const MOST_TEXT: usize = 8192;

/// Writes text with line breaks, control characters and what else does not print escaped, so that it stays within its line and
/// does not drive a terminal. Cuts it at [`MOST_TEXT`].
pub(super) struct Escaped<W> {
    out: W,
    left: usize,
}

impl<W: Write> Escaped<W> {
    /// Writes to `out`.
    pub(super) fn new(out: W) -> Self {
        Self { out, left: MOST_TEXT }
    }
}

impl<W: Write> Write for Escaped<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let escape = character.escape_debug();
            // Quotes and backslashes print.
            let prints = escape.len() == 1 || matches!(character, '"' | '\'' | '\\');
            let length = if prints { character.len_utf8() } else { escape.len() };
            let Some(left) = self.left.checked_sub(length) else {
                self.left = 0;
                return Ok(());
            };
            self.left = left;
            if prints { self.out.write_char(character)? } else { write!(self.out, "{escape}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        Escaped::new(&mut out).write_str(text).unwrap();
        out
    }

    #[test]
    fn text_from_outside_stays_within_its_line() {
        for (text, expected) in [
            ("it's \"Zürich\" \\ 漢字", "it's \"Zürich\" \\ 漢字"),
            ("a\nERROR forged\r\n", "a\\nERROR forged\\r\\n"),
            ("\x1b[2J\x07\x7f\u{9b}", "\\u{1b}[2J\\u{7}\\u{7f}\\u{9b}"),
            ("\u{202e}gpj.exe\u{2028}", "\\u{202e}gpj.exe\\u{2028}"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = escaped(&"ä".repeat(MOST_TEXT));
        assert_eq!((long.len(), long.chars().all(|letter| letter == 'ä')), (MOST_TEXT, true));
        assert!(escaped(&"\n".repeat(MOST_TEXT)).len() <= MOST_TEXT);
    }
}
