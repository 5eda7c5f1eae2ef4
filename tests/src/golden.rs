//! Golden files: the sentences that programs print, one file for each topic, so that a new wording shows as one difference.
//!
//! A file begins with a paragraph on itself. Each sentence follows a line `--- NAME`; `{placeholder}` stands for a value of the run.
//! With `UPDATE_GOLDEN=1` the tests write what they see: read the difference before you commit it.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::tree;

/// Guards the files: the tests of one program update them from several threads.
static UPDATES: Mutex<()> = Mutex::new(());

/// A golden file, named by its path below `tests/`.
pub struct Golden(pub &'static str);

/// A sentence of a golden file, with the values of this run.
pub struct Sentence<'g> {
    file: &'g Golden,
    name: &'g str,
    values: Vec<(&'g str, String)>,
}

/// Returns whether the tests write the golden files instead of reading them.
#[must_use]
pub fn updates() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

impl Golden {
    /// Names the sentence `name`, with `values` for its placeholders.
    #[must_use]
    pub fn sentence<'g>(&'g self, name: &'g str, values: &[(&'g str, &str)]) -> Sentence<'g> {
        let values = values.iter().map(|(placeholder, value)| (*placeholder, (*value).to_owned()));
        Sentence { file: self, name, values: values.collect() }
    }

    fn path(&self) -> PathBuf {
        tree::root().join("tests").join(self.0)
    }

    /// Reads the file: its first paragraph, then the name and text of each sentence.
    fn read(&self) -> (String, Vec<(String, String)>) {
        let path = self.path();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut parts = text.split("\n--- ");
        let head = parts.next().unwrap_or_default().to_owned();
        let sentences = parts.map(|part| {
            let (name, sentence) = part.split_once('\n').expect("a line follows the name");
            (name.to_owned(), sentence.trim_end().to_owned())
        });
        (head, sentences.collect())
    }
}

impl Sentence<'_> {
    /// Returns the sentence that the file has.
    ///
    /// # Panics
    /// When the file has no sentence of that name.
    #[must_use]
    pub fn expected(&self) -> String {
        let (_, sentences) = self.file.read();
        let sentence = sentences.into_iter().find(|(name, _)| name == self.name);
        let (_, text) = sentence.unwrap_or_else(|| panic!("{} lacks `{}`", self.file.0, self.name));
        self.values.iter().fold(text, |text, (placeholder, value)| text.replace(&format!("{{{placeholder}}}"), value))
    }

    /// Compares what a program printed with the file; with `UPDATE_GOLDEN`, writes it there.
    ///
    /// # Panics
    /// When they differ, or the file cannot be written.
    pub fn check(&self, seen: &str) {
        if updates() {
            return self.update(seen);
        }
        assert_eq!(seen.trim_end(), self.expected(), "`{}` of {}", self.name, self.file.0);
    }

    fn update(&self, seen: &str) {
        let text = self.values.iter().fold(seen.trim_end().to_owned(), |text, (placeholder, value)| {
            text.replace(value, &format!("{{{placeholder}}}"))
        });
        let _guard = UPDATES.lock().unwrap_or_else(PoisonError::into_inner);
        let (head, mut sentences) = self.file.read();
        match sentences.iter_mut().find(|(name, _)| name == self.name) {
            Some((_, old)) => *old = text,
            None => sentences.push((self.name.to_owned(), text)),
        }
        let sentences: Vec<String> = sentences.iter().map(|(name, text)| format!("\n--- {name}\n{text}\n")).collect();
        fs::write(self.file.path(), head + &sentences.concat()).expect("the golden file can be written");
    }
}
