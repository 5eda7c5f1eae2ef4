//! The host's contributions to session keys.

use std::fs::File;
use std::io::{self, Read as _};

use ekey_proto::Nonce;

/// Makes nonces that never repeat: a counter, and random bytes.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    made: u32,
    /// Held open, so that a nonce can be made even when the process has no descriptor left.
    source: Option<File>,
}

impl Nonces {
    /// The next nonce. The random bytes come from `/dev/urandom`, which does not wait for a kernel that is still to be
    /// seeded, perhaps by this very daemon: a nonce must be new, it need not be secret.
    ///
    /// # Errors
    /// Whatever keeps `/dev/urandom` from being read.
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
