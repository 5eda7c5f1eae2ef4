//! What can be wrong with a line, and where.

use thiserror::Error;

/// A mistake and its place. Columns count characters, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {mistake}")]
pub struct SyntaxError {
    /// From 1; always 1 for a line read alone.
    pub line: usize,
    /// Of the character that is wrong, or with which the unfinished thing began; from 1.
    pub column: usize,
    /// What is wrong.
    pub mistake: Mistake,
}

impl SyntaxError {
    /// `at` is an offset in bytes into `text`.
    pub(super) fn new(line: usize, text: &str, at: usize, mistake: Mistake) -> Self {
        let before = text.char_indices().take_while(|(index, _)| *index < at).count();
        Self { line, column: before + 1, mistake }
    }
}

/// What is wrong with a line, and what to change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mistake {
    /// More than [`MAX_LINE`](super::MAX_LINE) bytes.
    #[error("the line is longer than {} bytes: shorten it", super::MAX_LINE)]
    LineTooLong,
    /// A byte sequence that is not UTF-8.
    #[error("this byte is not UTF-8 text: save the line as UTF-8")]
    NotUtf8,
    /// The escapes of a text make bytes that are not UTF-8.
    #[error("the escapes of this text give bytes that are not UTF-8: write the characters themselves")]
    TextNotUtf8,
    /// A line that starts with something other than a name.
    #[error("a statement starts with its name, such as Keyring \"/path\"")]
    NoName,
    /// A word where an argument or the end is expected.
    #[error("'{0}' stands where a value is expected: variables and calls are not taken, and text goes in quotes")]
    BareWord(String),
    /// A word that starts something only a programming language has.
    #[error("'{0}' belongs to a program: only plain statements such as Name(\"text\", 7) are taken")]
    Keyword(String),
    /// `+`, `=`, `..` and the like.
    #[error("'{0}' is an operator: only plain values are taken")]
    Operator(char),
    /// `{` or `}`.
    #[error("tables are not taken: only text, numbers, nil, true and false")]
    Table,
    /// A character that nothing starts with.
    #[error("unexpected {0:?} here: remove it")]
    Unexpected(char),
    /// `(` `,` and no value after it.
    #[error("an argument is expected here")]
    NoArgument,
    /// Two arguments side by side.
    #[error("a ',' or the closing ')' is expected here")]
    NoComma,
    /// A parenthesis that is not closed on its line.
    #[error("this '(' is not closed on its line: end it with ')'")]
    OpenParenthesis,
    /// A quoted text that is not closed on its line.
    #[error("this text is not closed on its line: end it with {0}")]
    OpenText(char),
    /// A long bracket that is not closed on its line.
    #[error("this long bracket is not closed on its line: text must end where it began")]
    OpenBrackets,
    /// A block comment that never ends.
    #[error("this comment is never closed")]
    OpenComment,
    /// A backslash with a letter that means nothing.
    #[error("'\\{0}' means nothing in a text: write '\\\\' for a backslash")]
    BadEscape(char),
    /// `\ddd` above 255.
    #[error("'\\{0}' is above \\255")]
    BigEscape(u32),
    /// Digits that are not a number.
    #[error("'{0}' is not a number")]
    BadNumber(String),
    /// Something after the end of the statement.
    #[error("the statement has ended: one statement a line")]
    MoreThanOne,
}
