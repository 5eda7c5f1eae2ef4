//! A value of the configuration file, and how messages show it.

use toml::de::{DeTable, DeValue};

/// Limit on the characters of a value that a message shows.
const MOST_SHOWN: usize = 60;

/// A value of the file, its key, and the offsets of both.
#[derive(Clone, Copy)]
pub(crate) struct Value<'v> {
    pub(super) key: &'static str,
    pub(super) key_at: usize,
    pub(super) at: usize,
    pub(super) is: &'v DeValue<'v>,
}

impl<'v> Value<'v> {
    /// Returns whether it is a text.
    pub(crate) fn is_text(self) -> bool {
        matches!(self.is, DeValue::String(_))
    }

    /// Returns its entries, if it is a list.
    pub(crate) fn entries(self) -> Option<Vec<Self>> {
        let entries = self.is.as_array()?;
        Some(entries.iter().map(|entry| Self { at: entry.span().start, is: entry.get_ref(), ..self }).collect())
    }

    /// Returns it as a message shows it.
    pub(super) fn shown(self) -> String {
        match self.is {
            DeValue::String(text) => format!("`{}`", shown(text)),
            DeValue::Integer(digits) => shown(&digits.to_string()),
            other => kind(other).to_owned(),
        }
    }
}

/// Returns the value of `key` in `values`. For text that is not TOML the parser invents values, which have no place.
pub(super) fn stands_at<'v>(values: &'v DeTable<'v>, key: &'static str) -> Option<Value<'v>> {
    let (name, value) = values.get_key_value(key)?;
    let span = value.span();
    (!span.is_empty()).then(|| Value { key, key_at: name.span().start, at: span.start, is: value.get_ref() })
}

/// Returns what a message calls it.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// Returns the beginning of a text from the file.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(MOST_SHOWN).collect()
}
