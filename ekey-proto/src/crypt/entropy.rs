//! 32 bytes of entropy that a MAC proves to come from the key.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 bytes of proven entropy for one consumer: cannot be cloned, wipes itself when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct EntropyBlock([u8; Self::LEN]);

impl EntropyBlock {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// XORs `masked` with `mask`, which removes a mask or applies one.
    #[inline]
    pub(super) fn unmask(masked: &[u8; Self::LEN], mask: &[u64; 4]) -> Self {
        let mut block = Self(*masked);
        for (bytes, word) in block.0.chunks_exact_mut(8).zip(mask) {
            bytes.iter_mut().zip(word.to_le_bytes()).for_each(|(byte, mask)| *byte ^= mask);
        }
        block
    }

    /// Returns the entropy. The consumer copies it and drops the block.
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
        assert_eq!(std::format!("{:?}", EntropyBlock([7; 32])), "EntropyBlock");
    }
}
