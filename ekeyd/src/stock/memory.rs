//! The memory of the stock: one allocation, cut into pieces for the sources' rings.

use crate::source::batch::wipe;

/// Bytes in a piece.
pub(super) const PIECE: usize = 1024;
/// Pieces above the capacity, because many sources may each use a piece in part.
const SLACK: usize = 64;

/// All pieces, and which of them are free.
pub(super) struct Memory {
    bytes: Box<[u8]>,
    /// The last one freed is used next, so that memory never needed is never touched.
    free: Vec<u32>,
}

impl Memory {
    /// Allocates memory for `capacity` bytes. What is not needed is never touched.
    pub(super) fn new(capacity: usize) -> Self {
        let pieces = capacity.div_ceil(PIECE) + SLACK;
        let free = (0..u32::try_from(pieces).unwrap_or(u32::MAX)).rev().collect();
        Self { bytes: vec![0; pieces * PIECE].into_boxed_slice(), free }
    }

    /// Returns a free piece, if there is one.
    pub(super) fn allot(&mut self) -> Option<u32> {
        self.free.pop()
    }

    /// Frees a piece. Its bytes are already wiped.
    pub(super) fn give_back(&mut self, piece: u32) {
        self.free.push(piece);
    }

    /// Returns the bytes of a piece.
    pub(super) fn piece(&mut self, piece: u32) -> &mut [u8] {
        let at = piece as usize * PIECE;
        &mut self.bytes[at..at + PIECE]
    }

    /// Returns all bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[cfg(test)]
    pub(super) fn is_clean(&self) -> bool {
        self.bytes.iter().all(|byte| *byte == 0)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}
