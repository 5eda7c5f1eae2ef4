//! One table of the configuration file, read key by key.
//!
//! A table remembers which keys were asked for. There is no other list of keys: a key in the file that no section asked for is
//! unknown. A wrong value is noted with its place and read as absent, so that one run finds every mistake.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ekey_control::nearest::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Section;
use super::claim::{Claim, clashes};
use super::error::{Mistake, Source};
use super::value::{Value, kind, shown, stands_at};

/// How messages call the outermost table.
const TOP: &str = "the top of the file";

/// A table. If the file does not have it, every key is absent.
pub(crate) struct Table<'v> {
    source: Source<'v>,
    /// How messages call it: `[kernel]`, or [`TOP`].
    name: String,
    values: Option<&'v DeTable<'v>>,
    /// The byte offset of its beginning.
    offset: usize,
    document: &'v DeTable<'v>,
    asked: Vec<&'static str>,
    renamed: Vec<Renamed>,
    /// The sections and the entries of lists that were read from it.
    inner: Vec<Self>,
    /// Whether it is an entry of a list: its keys belong nowhere else.
    is_entry: bool,
    /// Each accepted entry of a list: the list's key, and the entry's offset.
    taken: Vec<(&'static str, usize)>,
    mistakes: Vec<Mistake>,
    notes: Vec<Mistake>,
}

/// A key that had another name in another section.
#[derive(Clone)]
struct Renamed {
    section: String,
    key: &'static str,
    old_section: &'static str,
    old_key: &'static str,
}

impl<'v> Table<'v> {
    /// Makes the outermost table of `document`, which was read from `source`.
    pub(super) fn top(source: Source<'v>, document: &'v Spanned<DeTable<'v>>) -> Self {
        let values = document.get_ref();
        Self::new(source, values, TOP.to_owned(), document.span().start, Some(values))
    }

    fn new(
        source: Source<'v>,
        document: &'v DeTable<'v>,
        name: String,
        at: usize,
        values: Option<&'v DeTable<'v>>,
    ) -> Self {
        let (asked, renamed, inner, taken) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mistakes, notes, is_entry) = (Vec::new(), Vec::new(), false);
        Self { source, document, name, offset: at, values, asked, renamed, inner, is_entry, taken, mistakes, notes }
    }

    /// Returns whether the file has it.
    pub(crate) fn is_there(&self) -> bool {
        self.values.is_some()
    }

    /// Reads the section `S` in it.
    pub(crate) fn section<S: Section>(&mut self) -> Option<S> {
        let name = format!("[{}]", S::NAME);
        let found = self.value(S::NAME);
        let values = found.and_then(|found| found.is.as_table());
        if let (Some(found), None) = (found, values) {
            self.wrong_kind(found, &format!("a section `{name}`"));
        }
        let offset = found.map_or(self.offset, |found| found.key_at);
        let mut inner = Self::new(self.source, self.document, name, offset, values);
        let section = S::read(&mut inner);
        self.inner.push(inner);
        section
    }

    /// Reads the table that is an entry of a list. Messages call it `name`; `expected` says what an entry may be.
    pub(crate) fn entry<T>(
        &mut self,
        entry: Value<'v>,
        name: &str,
        expected: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let Some(values) = entry.is.as_table() else {
            self.wrong_kind(entry, expected);
            return None;
        };
        let mut inner = Self::new(self.source, self.document, name.to_owned(), entry.at, Some(values));
        inner.is_entry = true;
        let read = read(&mut inner);
        self.inner.push(inner);
        read
    }

    /// Makes `key` readable under its old name, `old_key` in `[old_section]`. Call it before asking for `key`.
    pub(crate) fn renamed(&mut self, key: &'static str, old_section: &'static str, old_key: &'static str) {
        self.renamed.push(Renamed { section: self.name.clone(), key, old_section, old_key });
    }

    /// Returns the value of `key`, under either of its names.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<Value<'v>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let value = self.values.and_then(|values| stands_at(values, key));
        let Some(&Renamed { old_section, old_key, .. }) = self.renamed.iter().find(|renamed| renamed.key == key) else {
            return value;
        };
        let section = self.document.get(old_section).and_then(|section| section.get_ref().as_table());
        let Some(old) = section.and_then(|section| stands_at(section, old_key)) else { return value };
        let (was, is) = (format!("`{old_key}` in [{old_section}]"), format!("`{key}` in {}", self.name));
        if let Some(new) = value {
            let [old_line, line] = [old.key_at, new.key_at].map(|at| self.source.line(at));
            let what = format!("{was} (line {old_line}) is the old name of {is} (line {line}); remove the old one");
            self.mistake(old.key_at, what);
            return value;
        }
        self.notes.push(self.source.mistake(old.key_at, format!("note: {was} is now {is}; the old name still works")));
        Some(old)
    }

    /// Returns the value of `key`, if it is `true` or `false`.
    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        if let DeValue::Boolean(flag) = value.is {
            return Some(*flag);
        }
        self.wrong_kind(value, "true or false");
        None
    }

    /// Returns the value of `key`, if it is a whole number in `range`.
    pub(crate) fn number<N: TryFrom<u64>>(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<N> {
        let value = self.value(key)?;
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.number_of(value, range, &expected)
    }

    /// Returns the whole number that `value` is, if it is in `range`.
    pub(crate) fn number_of<N: TryFrom<u64>>(
        &mut self,
        value: Value<'v>,
        range: RangeInclusive<u64>,
        expected: &str,
    ) -> Option<N> {
        let DeValue::Integer(digits) = value.is else {
            self.wrong_kind(value, expected);
            return None;
        };
        let number = u64::from_str_radix(digits.as_str(), digits.radix()).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.wrong_value(value, expected);
        }
        number.and_then(|number| number.try_into().ok())
    }

    /// Returns the value of `key`, if it is a whole number of seconds in `range`.
    pub(crate) fn seconds(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<Duration> {
        self.number(key, range).map(Duration::from_secs)
    }

    /// Returns what `parse` makes of the text of `key`, if it accepts it.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let parsed = parse(self.text_of(value, expected)?);
        if parsed.is_none() {
            self.wrong_value(value, expected);
        }
        parsed
    }

    /// Returns the meaning of the word at `key`, one of `words`.
    pub(crate) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let quoted: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let expected = match quoted.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => quoted.concat(),
        };
        self.parsed(key, &expected, |text| words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning))
    }

    /// Returns the path at `key`, if `check` accepts it.
    pub(crate) fn path(&mut self, key: &'static str, check: fn(&Path) -> Result<(), String>) -> Option<PathBuf> {
        self.value(key).and_then(|value| self.path_of(value, check))
    }

    /// Returns the entries of a list that `read` accepts; `read` notes what is wrong with the others.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        mut read: impl FnMut(&mut Self, Value<'v>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let entries = self.entries(key, expected)?;
        let mut list = Vec::new();
        for entry in entries {
            if let Some(read) = read(self, entry) {
                self.taken.push((key, entry.at));
                list.push(read);
            }
        }
        Some(list)
    }

    /// Returns the values of `key` that `read` accepts: the entries of a list, or the one value. `None` if there is none.
    pub(crate) fn one_or_more<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Self, Value<'v>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.value(key)?;
        let Some(entries) = value.entries() else { return read(self, value).map(|one| vec![one]) };
        let mut found = Vec::new();
        for entry in entries {
            if let Some(read) = read(self, entry) {
                self.taken.push((key, entry.at));
                found.push(read);
            }
        }
        (!found.is_empty()).then_some(found)
    }

    /// Returns the entries of a list, unread.
    pub(crate) fn entries(&mut self, key: &'static str, expected: &str) -> Option<Vec<Value<'v>>> {
        let value = self.value(key)?;
        let entries = value.entries();
        if entries.is_none() {
            self.wrong_kind(value, expected);
        }
        entries
    }

    /// Returns the texts among `entries` that `parse` accepts, each once.
    pub(crate) fn once_each<T: PartialEq + Display>(
        &mut self,
        entries: &[Value<'v>],
        expected: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for entry in entries {
            let Some(text) = self.text_of(*entry, expected) else { continue };
            let place = parse(text).and_then(|place| match found.contains(&place) {
                true => Err(format!("`{place}` is there twice; leave one out")),
                false => Ok(place),
            });
            if let Some(place) = self.accepted(*entry, place) {
                self.taken.push((entry.key, entry.at));
                found.push(place);
            }
        }
        found
    }

    /// Returns the text that `value` is.
    pub(crate) fn text_of(&mut self, value: Value<'v>, expected: &str) -> Option<&'v str> {
        if let DeValue::String(text) = value.is {
            return Some(text);
        }
        self.wrong_kind(value, expected);
        None
    }

    /// Returns the path that `value` is, if `check` accepts it.
    pub(crate) fn path_of(&mut self, value: Value<'v>, check: fn(&Path) -> Result<(), String>) -> Option<PathBuf> {
        let path = PathBuf::from(self.text_of(value, "an absolute path in quotes")?);
        self.accepted(value, check(&path).map(|()| path))
    }

    /// Returns what a parser made of `value`. Notes its error.
    pub(crate) fn accepted<T>(&mut self, value: Value<'v>, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|what| self.mistake(value.at, format!("`{}`: {what}", value.key))).ok()
    }

    /// Notes that `key` is missing, if the file has the table.
    pub(crate) fn required(&mut self, key: &'static str, expected: &str) {
        if self.is_there() && self.value(key).is_none() {
            self.mistake(self.offset, format!("{} has no `{key}`; expected {expected}", self.name));
        }
    }

    /// Notes that `value` has the right kind but is wrong.
    pub(crate) fn wrong_value(&mut self, value: Value<'v>, expected: &str) {
        self.mistake(value.at, format!("`{}` is {}; expected {expected}", value.key, value.shown()));
    }

    /// Notes that `value` has the wrong kind.
    pub(crate) fn wrong_kind(&mut self, value: Value<'v>, expected: &str) {
        self.mistake(value.at, format!("`{}` is {}; expected {expected}", value.key, kind(value.is)));
    }

    /// Notes what is wrong with the value of `key`, if it has one.
    pub(crate) fn wrong(&mut self, key: &'static str, what: &str) {
        if let Some(value) = self.value(key) {
            self.mistake(value.at, format!("`{key}` {what}"));
        }
    }

    fn mistake(&mut self, offset: usize, what: String) {
        self.mistakes.push(self.source.mistake(offset, what));
    }

    /// Notes each of `claims`, those of the whole file, that clashes with another.
    pub(super) fn note_clashes(&mut self, claims: &[Claim]) {
        let clashes = clashes(claims, |claim, index| {
            let named = format!("[{}]", claim.section);
            let section = self.inner.iter().find(|table| table.name == named);
            let offset = section.unwrap_or(self).place(claim.key, index)?;
            Some((offset, self.source.line(offset)))
        });
        clashes.into_iter().for_each(|(offset, what)| self.mistake(offset, what));
    }

    /// Returns the offset of the value of `key`, or of the `index`th entry that was taken of its list.
    fn place(&self, key: &str, index: usize) -> Option<usize> {
        let mut entries = self.taken.iter().filter(|(list, _)| *list == key).map(|(_, offset)| *offset);
        entries
            .nth(index)
            .or_else(|| Some(stands_at(self.values?, self.asked.iter().find(|asked| **asked == key)?)?.at))
    }

    /// Every section with the keys that it was asked for, in the order of reading.
    pub(super) fn known(&self) -> Vec<(String, Vec<&'static str>)> {
        let inner = self.inner.iter().filter(|table| !table.is_entry).flat_map(Self::known);
        std::iter::once((self.name.clone(), self.asked.clone())).chain(inner).collect()
    }

    /// Returns all mistakes, including unknown keys, and all notes, in the order of the file. Call it after reading every
    /// section.
    pub(super) fn findings(self) -> (Vec<Mistake>, Vec<Mistake>) {
        let known = self.known();
        let renamed: Vec<Renamed> = self.inner.iter().flat_map(|table| table.renamed.iter().cloned()).collect();
        let (mut mistakes, mut notes) = (Vec::new(), Vec::new());
        let mut tables = vec![self];
        while let Some(mut table) = tables.pop() {
            table.note_unknown(&known, &renamed);
            mistakes.append(&mut table.mistakes);
            notes.append(&mut table.notes);
            tables.append(&mut table.inner);
        }
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        notes.sort_by_key(|note| (note.line, note.column));
        // A key may be asked for more than once.
        mistakes.dedup();
        notes.dedup();
        (mistakes, notes)
    }

    fn note_unknown(&mut self, known: &[(String, Vec<&'static str>)], renamed: &[Renamed]) {
        for (key, _) in self.values.into_iter().flatten() {
            let written: &str = key.get_ref();
            if self.asked.contains(&written) {
                continue;
            }
            let was = renamed.iter().find(|renamed| renamed.old_key == written && !self.is_entry);
            if was.is_some_and(|renamed| self.name == format!("[{}]", renamed.old_section)) {
                continue;
            }
            let home = known.iter().find(|(_, keys)| keys.contains(&written) && !self.is_entry);
            let advice = match (nearest(written, self.asked.iter().copied()), home, was) {
                (Some(meant), Some((section, _)), _) => {
                    format!("did you mean `{meant}`? A key `{written}` belongs in {section}")
                }
                (None, Some((section, _)), _) => format!("it belongs in {section}"),
                (_, None, Some(Renamed { section, key, .. })) => format!("it is now `{key}` in {section}"),
                (Some(meant), None, None) => format!("did you mean `{meant}`?"),
                (None, None, None) => format!("expected one of {}", self.asked.join(", ")),
            };
            let what = format!("unknown key `{}` in {}; {advice}", shown(written), self.name);
            self.mistakes.push(self.source.mistake(key.span().start, what));
        }
    }
}
