//! 32 bytes of entropy that a MAC proves to come from the key.

use core::fmt;

/// 32 bytes of proven entropy for one consumer: cannot be cloned, wipes itself when dropped.
pub struct EntropyBlock([u8; Self::LEN]);

impl EntropyBlock {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// XORs `masked` with `mask`, which removes a mask or applies one.
    #[inline]
    pub(super) fn unmask(masked: &[u8; Self::LEN], mask: &[u64; 4]) -> Self {
        let mut block = Self(*masked);
        for (bytes, mask) in block.0.chunks_exact_mut(8).zip(mask) {
            let word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight")) ^ mask;
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        block
    }

    /// Returns the entropy. The consumer copies it and drops the block.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl Drop for EntropyBlock {
    /// Wipes the block as a whole: as many stores as it has words, where [`zeroize::Zeroize`] makes one for each byte.
    fn drop(&mut self) {
        self.0 = [0; Self::LEN];
        zeroize::optimization_barrier(&self.0);
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
