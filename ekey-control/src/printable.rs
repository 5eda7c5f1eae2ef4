//! Makes text of another program fit to print: it must not act on a terminal, or show other words than it has.

use serde_json::Value;

/// Replaces control characters, which act on a terminal, and the characters that change the direction of text, by `?`.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if acts(c) { '?' } else { c }).collect()
}

/// Does the same, but keeps tabs.
pub(crate) fn printable_columns(text: &str) -> String {
    text.chars().map(|c| if acts(c) && c != '\t' { '?' } else { c }).collect()
}

/// Does the same as [`printable`] with every text in a JSON value: what was escaped there is a control character here.
pub(crate) fn printable_json(value: &mut Value) {
    match value {
        Value::String(text) => *text = printable(text),
        Value::Array(values) => values.iter_mut().for_each(printable_json),
        Value::Object(fields) => fields.values_mut().for_each(printable_json),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn acts(c: char) -> bool {
    let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // Some terminals take the separators for line ends.
    c.is_control() || reorders || matches!(c, '\u{2028}' | '\u{2029}')
}
