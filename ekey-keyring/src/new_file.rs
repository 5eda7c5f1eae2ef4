//! A file next to the keyring that replaces it when complete: a reader finds the whole old one or the whole new one.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::sync::Arc;

use crate::folder::Folder;
use crate::owner::{self, Owner};

/// Most bytes that one change adds: a line, and the end of the line before.
const GROWTH: usize = 128;
/// How many names to try.
const MOST_ATTEMPTS: u32 = 100;

/// The new file. Dropping it before it is in place removes it.
pub(crate) struct NewFile {
    file: File,
    folder: Arc<Folder>,
    name: String,
    target: String,
    placed: bool,
}

impl NewFile {
    /// Makes the file next to `target`, with mode 0600, the owner `heir` (`None`: the maker), and room for `text` after
    /// one change. An unwritable folder or a full disk shows here, before anything has happened.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn next_to(target: &str, folder: &Arc<Folder>, text: &[u8], heir: Option<Owner>) -> io::Result<Self> {
        let (file, name) = make(target, folder)?;
        let mut new = Self { file, folder: Arc::clone(folder), name, target: target.to_owned(), placed: false };
        owner::hand_over(&new.file, heir)?;
        new.file.write_all(&vec![b'#'; text.len() + GROWTH])?;
        new.file.sync_all()?;
        Ok(new)
    }

    /// Writes `text` and replaces the keyring by the file.
    ///
    /// # Errors
    /// The system's error. The old keyring is then unchanged.
    pub(crate) fn place(mut self, text: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(text)?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_all()?;
        self.folder.rename(&self.name, &self.target)?;
        self.placed = true;
        self.folder.sync()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.placed {
            // If this fails, the file holds no key, or a new one that the device has not taken.
            let _ = self.folder.remove(&self.name);
        }
    }
}

fn make(target: &str, folder: &Folder) -> io::Result<(File, String)> {
    let mut name = NewName { target, process: std::process::id(), attempt: 0 };
    loop {
        // A name may be taken by a file of a crash, or of another thread at this moment.
        match folder.make(&name.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && name.attempt < MOST_ATTEMPTS => {
                name.attempt += 1;
            }
            outcome => return outcome.map(|file| (file, name.to_string())),
        }
    }
}

/// Removes the new files that crashed programs left next to `target`, since each may hold its keys. Call it with the lock held:
/// then no other program has one.
pub(crate) fn remove_left_overs(target: &str, folder: &Folder) {
    for name in folder.names().iter().filter(|name| NewName::parse(target, name).is_some()) {
        // A file that cannot be removed does no harm: the next one gets another name.
        let _ = folder.remove(name);
    }
}

/// The name of a new file: `.keyring.PROCESS-ATTEMPT.new`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NewName<'t> {
    /// The name of the file that it will replace.
    target: &'t str,
    process: u32,
    attempt: u32,
}

impl<'t> NewName<'t> {
    /// Returns `None` if `name` is not the name of a new file for `target`.
    fn parse(target: &'t str, name: &str) -> Option<Self> {
        let numbers = name.strip_prefix('.')?.strip_prefix(target)?.strip_prefix('.')?.strip_suffix(".new")?;
        let (process, attempt) = numbers.split_once('-')?;
        let name_of_it = Self { target, process: process.parse().ok()?, attempt: attempt.parse().ok()? };
        // Not `+1`, not `01`.
        (name_of_it.to_string() == name).then_some(name_of_it)
    }
}

impl fmt::Display for NewName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{}.{}-{}.new", self.target, self.process, self.attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_new_file_reads_as_it_prints() {
        let name = NewName { target: "key.ring", process: 4242, attempt: 17 };
        assert_eq!(NewName::parse("key.ring", &name.to_string()), Some(name));
        for other in
            [".key.ring.4242-.new", ".key.ring.+1-1.new", ".other.1-1.new", "key.ring.1-1.new", ".key.ring.new"]
        {
            assert_eq!(NewName::parse("key.ring", other), None, "{other}");
        }
    }
}
