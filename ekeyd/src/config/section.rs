//! One table of a TOML configuration, asked key by key. A wrong value is noted with its place, and the default taken, so that the
//! rest of the file is looked at as well.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use ekey_control::nearest::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Mistake, Source};

/// The mistakes found so far, and how to make places.
pub(super) struct Notes<'t> {
    source: Source<'t>,
    mistakes: Vec<Mistake>,
}

impl<'t> Notes<'t> {
    pub(super) fn new(source: Source<'t>) -> Self {
        Self { source, mistakes: Vec::new() }
    }

    /// Notes a mistake at byte `offset`.
    pub(super) fn note(&mut self, offset: usize, what: String) {
        self.mistakes.push(self.source.mistake(offset, what));
    }

    /// The mistakes in the order of the file.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        self.mistakes
    }
}

/// A table and how to call it.
#[derive(Clone, Copy)]
pub(super) struct Section<'v> {
    /// As it is shown: `[kernel]`, or `the top of the file`.
    pub name: &'static str,
    table: Option<&'v DeTable<'v>>,
    /// Where it begins.
    pub offset: usize,
}

impl<'v> Section<'v> {
    pub(super) fn new(name: &'static str, table: &'v Spanned<DeTable<'v>>) -> Self {
        Self { name, table: Some(table.get_ref()), offset: table.span().start }
    }

    /// Whether the file has this section.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// The section `key` of this one; one without keys if there is none.
    pub(super) fn section(&self, notes: &mut Notes<'_>, key: &'static str, name: &'static str) -> Self {
        let absent = Section { name, table: None, offset: self.offset };
        let Some((at, value)) = self.value(key) else { return absent };
        match value.get_ref() {
            DeValue::Table(table) => Section { name, table: Some(table), offset: at },
            other => {
                let kind = kind(other);
                notes.note(value.span().start, format!("`{key}` is {kind}; expected a section `{name}`"));
                absent
            }
        }
    }

    /// Notes each key that is not one of `known`. `others` are the keys of all sections, to say where a key belongs.
    pub(super) fn expect_only(&self, notes: &mut Notes<'_>, known: &[&str], others: &[(&str, &[&str])]) {
        for (key, _) in self.table.into_iter().flatten() {
            let written: &str = key.get_ref();
            if known.contains(&written) {
                continue;
            }
            let home = others.iter().find(|(_, keys)| keys.contains(&written));
            let advice = if let Some((section, _)) = home {
                format!("it belongs in {section}")
            } else if let Some(meant) = nearest(written, known.iter().copied()) {
                format!("did you mean `{meant}`?")
            } else {
                format!("expected one of {}", known.join(", "))
            };
            let shown: String = written.chars().take(60).collect();
            notes.note(key.span().start, format!("unknown key `{}` in {}; {advice}", shown.escape_debug(), self.name));
        }
    }

    /// The place and value of `key`.
    pub(super) fn value(&self, key: &str) -> Option<(usize, &'v Spanned<DeValue<'v>>)> {
        let (key, value) = self.table?.get_key_value(key)?;
        // Where the file could not be read, the parser makes up a value, which stands nowhere.
        (!value.span().is_empty()).then_some((key.span().start, value))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, notes: &mut Notes<'_>, key: &str, default: bool) -> bool {
        let Some((_, value)) = self.value(key) else { return default };
        let DeValue::Boolean(flag) = *value.get_ref() else {
            wrong_kind(notes, key, value, "true or false");
            return default;
        };
        flag
    }

    /// A whole number within `range`.
    pub(super) fn number(&self, notes: &mut Notes<'_>, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let (_, value) = self.value(key)?;
        let due = format!("a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(digits) = value.get_ref() else {
            wrong_kind(notes, key, value, &due);
            return None;
        };
        let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|number| range.contains(number));
        if number.is_none() {
            notes.note(value.span().start, format!("`{key}` is {digits}; expected {due}"));
        }
        number
    }

    /// A text, and its place.
    pub(super) fn text(&self, notes: &mut Notes<'_>, key: &str, due: &str) -> Option<(usize, &'v str)> {
        let (_, value) = self.value(key)?;
        let DeValue::String(text) = value.get_ref() else {
            wrong_kind(notes, key, value, due);
            return None;
        };
        Some((value.span().start, text))
    }

    /// A path that passes `check`.
    pub(super) fn path(
        &self,
        notes: &mut Notes<'_>,
        key: &str,
        check: impl Fn(&Path) -> Result<(), String>,
    ) -> Option<PathBuf> {
        let (at, text) = self.text(notes, key, "an absolute path in quotes")?;
        let path = PathBuf::from(text);
        match check(&path) {
            Ok(()) => Some(path),
            Err(what) => {
                notes.note(at, format!("`{key}`: {what}"));
                None
            }
        }
    }

    /// The entries of a list.
    pub(super) fn list(&self, notes: &mut Notes<'_>, key: &str, due: &str) -> Option<&'v [Spanned<DeValue<'v>>]> {
        let (_, value) = self.value(key)?;
        let DeValue::Array(entries) = value.get_ref() else {
            wrong_kind(notes, key, value, due);
            return None;
        };
        Some(entries)
    }
}

/// A table that is a value.
pub(super) fn inline<'v>(name: &'static str, value: &'v Spanned<DeValue<'v>>) -> Option<Section<'v>> {
    let table = value.get_ref().as_table()?;
    Some(Section { name, table: Some(table), offset: value.span().start })
}

/// Notes that the value of `key` is of the wrong kind.
pub(super) fn wrong_kind(notes: &mut Notes<'_>, key: &str, value: &Spanned<DeValue<'_>>, due: &str) {
    notes.note(value.span().start, format!("`{key}` is {}; expected {due}", kind(value.get_ref())));
}

fn kind(value: &DeValue<'_>) -> &'static str {
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
