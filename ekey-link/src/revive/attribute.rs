//! Writing a switch in sysfs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::ReviveError;

const ATTEMPTS: u32 = 5;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

/// Writes `value`. Never makes the file.
pub(super) fn write(path: &Path, value: &str) -> io::Result<()> {
    open(path)?.write_all(value.as_bytes())
}

/// Fails if the file may not be written, and changes nothing.
pub(super) fn check(path: &Path) -> Result<(), ReviveError> {
    open(path).map(drop).map_err(|source| ReviveError::of(path, source))
}

/// Writes what switches a key on again, and does not give up at the first failure.
pub(super) fn switch_on(path: &Path, on: &'static str) -> Result<(), ReviveError> {
    let mut attempt = 1;
    loop {
        match write(path, on) {
            Ok(()) => return Ok(()),
            Err(source) if attempt >= ATTEMPTS => {
                return Err(ReviveError::LeftOff { path: path.to_owned(), on, source });
            }
            Err(_) => attempt += 1,
        }
        thread::sleep(BETWEEN_ATTEMPTS);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}
