//! The words of a statement: names, values, and the marks between them.

use super::{Mistake, Value};

/// Words that Lua keeps for itself; none of them starts a statement here.
const KEYWORDS: [&str; 18] = [
    "and", "break", "do", "else", "elseif", "end", "for", "function", "if", "in", "local", "not", "or", "repeat",
    "return", "then", "until", "while",
];

#[derive(Debug)]
pub(super) enum Token {
    Name(String),
    Value(Value),
    Open,
    Close,
    Comma,
    Semicolon,
}

type Place = (usize, Mistake);

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    open_comment: Option<(usize, usize)>,
}

impl<'a> Lexer<'a> {
    /// Starts reading `text` at the offset `at`, which must be a character's.
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at, open_comment: None }
    }

    /// Where a block comment began that this line does not close, and how many `=` its brackets have.
    pub(super) fn open_comment(&self) -> Option<(usize, usize)> {
        self.open_comment
    }

    /// The offset behind the last word.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The character at an offset that a token gave.
    pub(super) fn char_at(&self, at: usize) -> char {
        self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ')
    }

    /// The next word and the offset where it starts; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Token)>, Place> {
        self.skip_blank();
        let at = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let second = self.rest().as_bytes().get(1).copied();
        let token = match first {
            '(' => self.mark(Token::Open),
            ')' => self.mark(Token::Close),
            ',' => self.mark(Token::Comma),
            ';' => self.mark(Token::Semicolon),
            '"' | '\'' => self.quoted(first)?,
            '[' if matches!(second, Some(b'[' | b'=')) => self.brackets()?,
            '0'..='9' => self.number()?,
            '.' if second.is_some_and(|byte| byte.is_ascii_digit()) => self.number()?,
            'a'..='z' | 'A'..='Z' | '_' => self.word()?,
            '{' | '}' => return Err((at, Mistake::Table)),
            '+' | '-' | '*' | '/' | '%' | '^' | '#' | '=' | '~' | '<' | '>' | '.' | ':' | '!' | '&' | '|' => {
                return Err((at, Mistake::Operator(first)));
            }
            other => return Err((at, Mistake::Unexpected(other))),
        };
        Ok(Some((at, token)))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn mark(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\x0b', '\x0c']);
            self.at += rest.len() - trimmed.len();
            let Some(comment) = trimmed.strip_prefix("--") else { return };
            match open_brackets(comment) {
                None => self.at += trimmed.find('\n').unwrap_or(trimmed.len()),
                Some(level) => match end_of_brackets(self.text, self.at + 2 + level + 2, level) {
                    Some((_, after)) => self.at = after,
                    None => {
                        self.open_comment = Some((self.at, level));
                        self.at = self.text.len();
                    }
                },
            }
        }
    }

    fn word(&mut self) -> Result<Token, Place> {
        let at = self.at;
        let rest = self.rest();
        let word = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())];
        self.at += word.len();
        match word {
            "nil" => Ok(Token::Value(Value::Nil)),
            "true" => Ok(Token::Value(Value::Bool(true))),
            "false" => Ok(Token::Value(Value::Bool(false))),
            _ if KEYWORDS.contains(&word) => Err((at, Mistake::Keyword(word.to_owned()))),
            _ => Ok(Token::Name(word.to_owned())),
        }
    }

    fn number(&mut self) -> Result<Token, Place> {
        let at = self.at;
        let rest = self.rest();
        let hex = rest.starts_with("0x") || rest.starts_with("0X");
        let mut previous = ' ';
        let end = rest.find(|c: char| {
            let sign_of_exponent = !hex && matches!(c, '+' | '-') && matches!(previous, 'e' | 'E');
            previous = c;
            !(c.is_ascii_alphanumeric() || c == '_' || c == '.' || sign_of_exponent)
        });
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        let number = match word.get(2..) {
            // 13 hexadecimal digits are 52 bits: what an f64 holds exactly.
            Some(digits) if hex && digits.len() <= 13 && !digits.starts_with('+') => {
                u64::from_str_radix(digits, 16).ok().map(|n| n as f64)
            }
            _ if hex => None,
            _ => word.parse::<f64>().ok(),
        };
        match number {
            Some(number) if number.is_finite() => Ok(Token::Value(Value::Number(number))),
            _ => Err((at, Mistake::BadNumber(word.to_owned()))),
        }
    }

    fn brackets(&mut self) -> Result<Token, Place> {
        let at = self.at;
        let Some(level) = open_brackets(self.rest()) else { return Err((at, Mistake::Unexpected('['))) };
        let start = at + level + 2;
        let (end, after) = end_of_brackets(self.text, start, level).ok_or((at, Mistake::OpenBrackets))?;
        self.at = after;
        Ok(Token::Value(Value::Text(self.text[start..end].to_owned())))
    }

    fn quoted(&mut self, quote: char) -> Result<Token, Place> {
        let start = self.at;
        let mut bytes = Vec::new();
        self.at += 1;
        loop {
            let at = self.at;
            let Some(character) = self.rest().chars().next() else { return Err((start, Mistake::OpenText(quote))) };
            self.at += character.len_utf8();
            match character {
                '\\' => self.escape(at, &mut bytes, (start, quote))?,
                '\n' => return Err((start, Mistake::OpenText(quote))),
                c if c == quote => break,
                c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Token::Value(Value::Text(text))),
            Err(_) => Err((start, Mistake::TextNotUtf8)),
        }
    }

    /// What stands after the backslash at `at`.
    fn escape(&mut self, at: usize, bytes: &mut Vec<u8>, (start, quote): (usize, char)) -> Result<(), Place> {
        let rest = self.rest();
        let Some(character) = rest.chars().next() else { return Err((start, Mistake::OpenText(quote))) };
        if character.is_ascii_digit() {
            let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
            self.at += digits;
            let code = rest[..digits].bytes().fold(0, |code, digit| code * 10 + u32::from(digit - b'0'));
            bytes.push(u8::try_from(code).map_err(|_| (at, Mistake::BigEscape(code)))?);
            return Ok(());
        }
        self.at += character.len_utf8();
        bytes.push(match character {
            'a' => 7,
            'b' => 8,
            't' => b'\t',
            'n' | '\n' => b'\n',
            'v' => 11,
            'f' => 12,
            'r' => b'\r',
            // Lua 5.1 takes any other character for itself. Letters are refused, as later versions give them a meaning (\x, \z, \u).
            c if c.is_ascii_punctuation() => c as u8,
            c => return Err((at, Mistake::BadEscape(c))),
        });
        Ok(())
    }
}

/// The number of `=` if `text` starts with `[`, any number of `=`, and `[`.
fn open_brackets(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('[')?;
    let level = inner.len() - inner.trim_start_matches('=').len();
    inner.get(level..)?.starts_with('[').then_some(level)
}

/// Where the bracket of this level that closes starts and ends, looking from `from` on.
pub(super) fn end_of_brackets(text: &str, from: usize, level: usize) -> Option<(usize, usize)> {
    let close = format!("]{}]", "=".repeat(level));
    let start = from + text.get(from..)?.find(&close)?;
    Some((start, start + close.len()))
}
