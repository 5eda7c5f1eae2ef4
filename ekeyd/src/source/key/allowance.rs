//! How much of a sender that proves nothing is read at once.
//!
//! Only entropy proves a key: it needs a session key, and the zero key that every other frame may use is public.

/// Bytes without entropy between two pauses.
const BYTES: usize = 8192;
/// What a read costs at least, in bytes: a sender of single bytes would cause the most work.
const LEAST: usize = 512;

/// What may still be read before the next pause.
pub(super) struct Allowance {
    left: usize,
    /// Whether the last read brought entropy.
    proven: bool,
    blocks: u64,
}

impl Allowance {
    /// Starts with a sender that has proven nothing.
    pub(super) const fn new() -> Self {
        Self { left: BYTES, proven: false, blocks: 0 }
    }

    /// Notes how many blocks of entropy the session has brought so far. A new one lifts the limit.
    pub(super) const fn note_blocks(&mut self, blocks: u64) {
        self.proven = blocks > self.blocks;
        self.blocks = blocks;
        if self.proven {
            self.left = BYTES;
        }
    }

    /// Returns how many bytes to read next at most.
    pub(super) const fn most(&self) -> usize {
        if self.proven { usize::MAX } else { self.left }
    }

    /// Notes that `bytes` were read.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes.max(LEAST));
    }

    /// Returns whether it is time for a pause. Then [renew](Self::renew) it.
    pub(super) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Starts again after a pause.
    pub(super) const fn renew(&mut self) {
        self.left = BYTES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entropy_lifts_the_limit() {
        let mut allowance = Allowance::new();
        let mut blocks = 0;
        for _ in 0..100 {
            blocks += 1;
            allowance.note_blocks(blocks);
            assert_eq!((allowance.most(), allowance.is_spent()), (usize::MAX, false));
            allowance.spend(4 * BYTES);
        }
        allowance.note_blocks(blocks);
        assert!(allowance.is_spent(), "a read without entropy");
        allowance.renew();
        allowance.note_blocks(blocks);
        assert_eq!((allowance.most(), allowance.is_spent()), (BYTES, false));
    }

    #[test]
    fn single_bytes_spend_it_as_quickly_as_many() {
        let mut allowance = Allowance::new();
        let reads = (1..).find(|_| {
            allowance.spend(1);
            allowance.note_blocks(0);
            allowance.is_spent()
        });
        assert_eq!(reads, Some(BYTES / LEAST));
    }
}
