//! Entropy on its way from one thread to another.

use std::ops::{Deref, DerefMut};

/// Bytes of entropy, wiped as a whole when dropped. Make it with all the room that it needs: growing would leave a copy.
#[derive(Debug, Default)]
pub(crate) struct Batch(Vec<u8>);

impl Batch {
    /// Takes over `bytes`.
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Makes an empty batch with room for `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // Its spare room too: the batch may have been longer.
        self.0.resize(self.0.capacity(), 0);
        wipe(&mut self.0);
    }
}

impl Deref for Batch {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Batch {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

/// Overwrites bytes with zeros. The compiler cannot remove it. It takes a few instructions for a whole batch, where
/// [`zeroize::Zeroize`] takes a few for each byte.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
}
