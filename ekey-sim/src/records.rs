//! The files that a software key writes: the log of its blocks, and its long-term key.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::device::Output;
use crate::{SimError, secret_file};

/// The files to write; none by default.
#[derive(Debug, Default)]
pub struct Records {
    plain_log: Option<(File, PathBuf)>,
    long_term_key: Option<PathBuf>,
}

impl Records {
    /// Records nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Logs the 32 bytes of each entropy block that goes out whole to `path`, once and in order. Empties the file
    /// first.
    ///
    /// # Errors
    /// [`SimError::File`] if the file cannot be made.
    pub fn with_plain_log(mut self, path: &Path) -> Result<Self, SimError> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.map_err(SimError::file("make the plain log", path, "check its folder and permissions"))?;
        self.plain_log = Some((file, path.to_owned()));
        Ok(self)
    }

    /// Writes each long-term key that the host sets to `path`, as the key writes it to its flash.
    #[must_use]
    pub fn with_long_term_key(mut self, path: &Path) -> Self {
        self.long_term_key = Some(path.to_owned());
        self
    }

    /// Records what the key is about to send. Call it before the host gets any of it, so that the log holds every block
    /// that a host has.
    ///
    /// # Errors
    /// [`SimError::File`] if a file cannot be written.
    pub fn keep(&mut self, output: &Output) -> Result<(), SimError> {
        if let (Some(path), Some(key)) = (&self.long_term_key, &output.long_term_key) {
            secret_file::replace_long_term_key(path, key)?;
        }
        if let Some((file, path)) = &mut self.plain_log
            && !output.blocks.is_empty()
        {
            let advice = "check for a full disk";
            file.write_all(&output.blocks).map_err(SimError::file("write the plain log", path, advice))?;
        }
        Ok(())
    }
}
