//! A whole file of statements. As in Lua, several may share a line and one may span several.

use std::collections::BTreeSet;

use super::lexer::{Lexer, Token};
use super::{Mistake, Statement, SyntaxError, arguments, checked};

/// Parses a whole file. Goes on after a mistake, on the next line. Returns all statements that it could read, each with its line from
/// 1, and all mistakes.
pub fn read_file(text: impl AsRef<[u8]>) -> (Vec<(usize, Statement)>, Vec<SyntaxError>) {
    let source = Source::of(text.as_ref());
    let (mut statements, mut mistakes, mut unreadable) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut lexer = Lexer::new(&source.text, 0);
    loop {
        let (first, read) = match next(&mut lexer, &source) {
            Ok(None) => break,
            Ok(Some((at, statement))) => (source.line(at), Ok((statement, source.line(lexer.at().saturating_sub(1))))),
            Err(failed) => (source.line(failed.start), Err(failed)),
        };
        let last = match &read {
            Ok((_, last)) => *last,
            Err(failed) => source.line(failed.at),
        };
        let lines = source.unreadable.iter().filter(|error| (first..=last).contains(&error.line));
        let found = unreadable.len();
        unreadable.extend(lines.map(|error| error.line));
        match read {
            _ if unreadable.len() > found => lexer = Lexer::new(&source.text, source.start_of(last + 1)),
            Ok((statement, _)) => statements.push((first, statement)),
            Err(Failed { at, mistake, open, .. }) => {
                // What goes wrong on a later line is most likely not meant as an argument.
                let (at, mistake) = match open {
                    Some(open) if last > first => (open, Mistake::OpenParenthesis),
                    _ => (at, mistake),
                };
                mistakes.push(source.error(at, mistake));
                lexer = Lexer::new(&source.text, source.start_of(source.line(at) + 1));
            }
        }
    }
    if let Some((at, _)) = lexer.open_comment() {
        mistakes.push(source.error(at, Mistake::OpenComment));
    }
    mistakes.extend(source.unreadable.into_iter().filter(|error| unreadable.contains(&error.line)));
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    (statements, mistakes)
}

/// A statement that cannot be read: where it starts, where its open parenthesis is, and what is wrong where.
struct Failed {
    start: usize,
    open: Option<usize>,
    at: usize,
    mistake: Mistake,
}

/// Reads the next statement. Returns it with its offset.
fn next<'s>(lexer: &mut Lexer<'s>, source: &'s Source) -> Result<Option<(usize, Statement)>, Failed> {
    let alone = |(at, mistake)| Failed { start: at, open: None, at, mistake };
    let (start, name) = loop {
        match lexer.next().map_err(alone)? {
            None => return Ok(None),
            Some((_, Token::Semicolon)) => {}
            Some((at, Token::Name(name))) => break (at, name),
            Some((at, _)) => return Err(alone((at, Mistake::NoName))),
        }
    };
    let failed = |(at, mistake)| Failed { start, open: None, at, mistake };
    let after_name = lexer.at();
    let args = match lexer.next().map_err(failed)? {
        None | Some((_, Token::Semicolon)) => Vec::new(),
        Some((at, Token::Name(_))) if source.line(at) > source.line(start) => {
            *lexer = Lexer::new(&source.text, after_name);
            Vec::new()
        }
        Some((open, Token::Open)) => {
            arguments(lexer, open).map_err(|(at, mistake)| Failed { start, open: Some(open), at, mistake })?
        }
        Some((_, Token::Value(value))) => vec![value],
        Some((at, Token::Name(word))) => return Err(failed((at, Mistake::BareWord(word)))),
        Some((at, Token::Close | Token::Comma)) => return Err(failed((at, Mistake::Unexpected(lexer.char_at(at))))),
    };
    Ok(Some((start, Statement { name, args })))
}

/// The text of a file. What is not readable is replaced, and matters only outside comments.
struct Source {
    text: String,
    /// The offset of each line.
    starts: Vec<usize>,
    /// Lines that are too long or not UTF-8.
    unreadable: Vec<SyntaxError>,
}

impl Source {
    fn of(bytes: &[u8]) -> Self {
        let (mut text, mut starts, mut unreadable) = (String::new(), Vec::new(), Vec::new());
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if index > 0 {
                text.push('\n');
            }
            starts.push(text.len());
            unreadable.extend(checked(line, index + 1).err());
            text.push_str(&String::from_utf8_lossy(line));
        }
        Self { text, starts, unreadable }
    }

    /// Returns the line of an offset, from 1.
    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    /// Returns the offset of a line, from 1; the end of the text if there is none.
    fn start_of(&self, line: usize) -> usize {
        self.starts.get(line - 1).copied().unwrap_or(self.text.len())
    }

    fn error(&self, at: usize, mistake: Mistake) -> SyntaxError {
        let line = self.line(at);
        let start = self.start_of(line);
        SyntaxError::new(line, self.text.get(start..).unwrap_or_default(), at - start, mistake)
    }
}
