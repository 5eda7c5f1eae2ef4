//! The host's nonces, which go into session keys.

use std::fs::File;
use std::io::{self, Read as _};

use ekey_proto::Nonce;

/// Makes nonces that never repeat, from a counter and random bytes.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    made: u32,
    /// Stays open, so that a process at its limit of open files can still make a nonce.
    source: Option<File>,
}

impl Nonces {
    /// Returns the next nonce. Takes the random bytes from `/dev/urandom`, which does not wait for an unseeded kernel: this daemon
    /// may be the one that seeds it, and a nonce must be new but not secret.
    ///
    /// # Errors
    /// `/dev/urandom` cannot be read.
    pub(crate) fn next(&mut self) -> io::Result<Nonce> {
        let mut random = [0; 8];
        let mut source = match self.source.take() {
            Some(source) => source,
            None => File::open("/dev/urandom")?,
        };
        source.read_exact(&mut random)?;
        self.source = Some(source);
        let nonce = Nonce::new(self.made, random);
        self.made = self.made.wrapping_add(1);
        Ok(nonce)
    }
}
