//! What all of this is for: 32 bytes of entropy that a key is proven to have sent.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 bytes of proven entropy. It cannot be cloned, and is wiped when dropped: it goes to one consumer.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct EntropyBlock([u8; Self::LEN]);

impl EntropyBlock {
    /// Length in bytes.
    pub const LEN: usize = 32;

    pub(super) const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The entropy. Whoever copies it out is its one consumer and lets go of the block.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for EntropyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntropyBlock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_not_printed() {
        assert_eq!(std::format!("{:?}", EntropyBlock::new([7; 32])), "EntropyBlock");
    }
}
