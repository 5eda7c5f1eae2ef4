//! The arguments of one statement of a configuration, asked by position. An error reads `Name: what is expected`.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::language::statement::Value;

/// The arguments of a statement, asked by position.
pub(super) struct Arguments<'s> {
    pub(super) name: &'s str,
    pub(super) values: &'s [Value],
}

impl Arguments<'_> {
    pub(super) fn only(self, expected: &str) -> Result<Self, String> {
        match self.values.len() {
            1 => Ok(self),
            count => Err(format!("{} has {count} arguments; expected {expected}", self.name)),
        }
    }

    pub(super) fn up_to(self, most: usize, expected: &str) -> Result<Self, String> {
        match self.values.len() {
            0 => Err(format!("{} has no argument; expected {expected}", self.name)),
            count if count > most => Err(format!("{} has {count} arguments; expected {expected}", self.name)),
            _ => Ok(self),
        }
    }

    /// Returns the text at `index`, if any. As in the original, an empty text is none.
    pub(super) fn text(&self, index: usize) -> Result<Option<&str>, String> {
        match self.values.get(index) {
            None | Some(Value::Nil) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(format!("{}: argument {} must be a text in quotes", self.name, index + 1)),
        }
    }

    /// Returns the text at `index`, or the digits of the whole number there, if any: in Lua they are the same.
    pub(super) fn digits(&self, index: usize) -> Result<Option<String>, String> {
        match self.values.get(index).and_then(Value::as_whole) {
            Some(number) => Ok(Some(number.to_string())),
            None => Ok(self.text(index)?.map(ToOwned::to_owned)),
        }
    }

    pub(super) fn path(&self, index: usize, check: impl Fn(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
        let path = PathBuf::from(self.text(index)?.unwrap_or_default());
        check(&path).map_err(|what| format!("{}: {what}", self.name))?;
        Ok(path)
    }

    /// Returns the whole number at `index`, with or without quotes, as the original takes both.
    pub(super) fn number<N>(&self, index: usize, least: N, most: N) -> Result<N, String>
    where
        N: TryFrom<u64> + PartialOrd + Copy + fmt::Display,
    {
        let number = match self.values.get(index) {
            Some(Value::Text(text)) => text.parse().ok(),
            Some(value) => value.as_whole(),
            None => None,
        };
        number
            .and_then(|number| N::try_from(number).ok())
            .filter(|number| *number >= least && *number <= most)
            .ok_or_else(|| format!("{}: expected a whole number from {least} to {most}", self.name))
    }
}
