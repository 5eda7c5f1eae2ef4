//! Statements: what a line on the control socket, or the original's `ekeyd.conf`, may say.
//!
//! A statement is a name and its arguments: `Name`, `Name arg` or `Name(arg, arg)`, with an optional `;` at its end, and `--` comments.
//! An argument is a text in quotes or long brackets, a number, `nil`, `true` or `false`. The original hands such lines to Lua. This
//! grammar reads the same lines and runs nothing: it reports everything else that Lua allows as a mistake, with its place.

mod file;
mod lexer;
mod mistake;

use std::fmt;

pub use file::read_file;
use lexer::{Lexer, Token};
pub use mistake::{Mistake, SyntaxError};

/// The longest line that is looked at, in bytes, without its line end.
pub const MAX_LINE: usize = 4096;

/// One argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `nil`: as if the argument had been left out.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A number, always finite and never negative.
    Number(f64),
    /// A text, its escapes resolved.
    Text(String),
}

impl Value {
    /// Returns the number, if it is a whole number that an `f64` holds exactly.
    pub fn as_whole(&self) -> Option<u64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self {
            Self::Number(number) if number.fract() == 0.0 && (0.0..=EXACT).contains(number) => Some(*number as u64),
            _ => None,
        }
    }
}

/// A name and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Letters, digits and underscores, as written.
    pub name: String,
    /// In the order written; empty for `Name` and `Name()`.
    pub args: Vec<Value>,
}

/// Parses one line. Returns `None` for a blank line or a comment. The error's line is 1.
pub fn parse_line(line: impl AsRef<[u8]>) -> Result<Option<Statement>, SyntaxError> {
    let text = checked(line.as_ref(), 1)?;
    let mut lexer = Lexer::new(text, 0);
    let statement = statement(&mut lexer).map_err(|(at, mistake)| SyntaxError::new(1, text, at, mistake))?;
    match lexer.open_comment() {
        Some((at, _)) => Err(SyntaxError::new(1, text, at, Mistake::OpenComment)),
        None => Ok(statement),
    }
}

fn checked(line: &[u8], number: usize) -> Result<&str, SyntaxError> {
    if line.len() > MAX_LINE {
        return Err(SyntaxError { line: number, column: MAX_LINE + 1, mistake: Mistake::LineTooLong });
    }
    std::str::from_utf8(line).map_err(|error| {
        let readable = String::from_utf8_lossy(line.get(..error.valid_up_to()).unwrap_or_default());
        SyntaxError::new(number, &readable, readable.len(), Mistake::NotUtf8)
    })
}

fn statement(lexer: &mut Lexer<'_>) -> Result<Option<Statement>, (usize, Mistake)> {
    let name = match lexer.next()? {
        None => return Ok(None),
        Some((_, Token::Name(name))) => name,
        Some((at, _)) => return Err((at, Mistake::NoName)),
    };
    let args = match lexer.next()? {
        None | Some((_, Token::Semicolon)) => return finish(lexer, Statement { name, args: Vec::new() }, true),
        Some((at, Token::Open)) => arguments(lexer, at)?,
        Some((_, Token::Value(value))) => vec![value],
        Some((at, Token::Name(word))) => return Err((at, Mistake::BareWord(word))),
        Some((at, Token::Close | Token::Comma)) => return Err((at, Mistake::Unexpected(lexer.char_at(at)))),
    };
    finish(lexer, Statement { name, args }, false)
}

fn arguments(lexer: &mut Lexer<'_>, open: usize) -> Result<Vec<Value>, (usize, Mistake)> {
    let mut args = Vec::new();
    loop {
        match lexer.next()? {
            Some((_, Token::Value(value))) => args.push(value),
            Some((_, Token::Close)) if args.is_empty() => return Ok(args),
            Some((at, Token::Name(word))) => return Err((at, Mistake::BareWord(word))),
            Some((at, _)) => return Err((at, Mistake::NoArgument)),
            None => return Err((open, Mistake::OpenParenthesis)),
        }
        match lexer.next()? {
            Some((_, Token::Comma)) => {}
            Some((_, Token::Close)) => return Ok(args),
            Some((at, _)) => return Err((at, Mistake::NoComma)),
            None => return Err((open, Mistake::OpenParenthesis)),
        }
    }
}

fn finish(lexer: &mut Lexer<'_>, statement: Statement, ended: bool) -> Result<Option<Statement>, (usize, Mistake)> {
    let mut next = lexer.next()?;
    if !ended && matches!(next, Some((_, Token::Semicolon))) {
        next = lexer.next()?;
    }
    match next {
        None => Ok(Some(statement)),
        Some((at, _)) => Err((at, Mistake::MoreThanOne)),
    }
}

/// Writes the statement so that [`parse_line`] gives it back; a text never holds a raw control character.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (index, arg) in self.args.iter().enumerate() {
            write!(f, "{}{arg}", if index == 0 { "(" } else { ", " })?;
        }
        if self.args.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => {
                f.write_str("\"")?;
                for character in text.chars() {
                    match character {
                        '"' | '\\' => write!(f, "\\{character}")?,
                        // Only C0 and DEL: they are one byte each, which is what \ddd says.
                        c if c.is_ascii_control() => write!(f, "\\{:03}", c as u32)?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"")
            }
        }
    }
}
