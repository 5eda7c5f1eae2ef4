//! Output of the generator that waits for clients.

use crate::outlet::egd::Store;
use crate::source::batch::{Batch, wipe};

/// Bytes that together have at most the entropy of their seed.
pub(in crate::outlet) struct Ready {
    bytes: Batch,
    capacity: usize,
    entropy_bits: u64,
    made: u64,
    wiped: u64,
}

impl Ready {
    /// Makes room for `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        Self { bytes: Batch::with_capacity(capacity), capacity, entropy_bits: 0, made: 0, wiped: 0 }
    }

    /// Adds bytes that the generator made.
    ///
    /// # Panics
    /// If they exceed the [`room`](Self::room).
    pub(super) fn put(&mut self, made: &[u8]) {
        assert!(made.len() <= self.room(), "{} bytes where there is room for {}", made.len(), self.room());
        self.bytes.extend_from_slice(made);
        self.made += made.len() as u64;
    }

    /// Wipes what is left of an earlier seed. The bytes that follow have `entropy_bits` together, and each byte that leaves
    /// takes eight of them.
    pub(super) fn begin(&mut self, entropy_bits: u64) {
        self.wiped += self.bytes.len() as u64;
        wipe(&mut self.bytes);
        self.bytes.clear();
        self.entropy_bits = entropy_bits;
    }

    /// Returns how many bytes fit.
    pub(super) fn room(&self) -> usize {
        self.capacity - self.bytes.len()
    }

    /// Returns how many bytes were made since the start.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Returns how many bytes were wiped since the start because a fresh seed came first.
    pub(super) fn wiped(&self) -> u64 {
        self.wiped
    }
}

impl Store for Ready {
    fn held(&self) -> usize {
        self.bytes.len()
    }

    fn entropy_bits(&self) -> u64 {
        self.entropy_bits.min(self.bytes.len() as u64 * 8)
    }

    fn take(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        let from = self.bytes.len().saturating_sub(count);
        let taken = self.bytes.len() - from;
        out.extend_from_slice(&self.bytes[from..]);
        wipe(&mut self.bytes[from..]);
        self.bytes.truncate(from);
        self.entropy_bits = self.entropy_bits.saturating_sub(taken as u64 * 8);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_takes_eight_bits_of_the_seed_along() {
        let mut ready = Ready::new(64);
        ready.begin(256);
        ready.put(&[1; 64]);
        let (mut out, mut seen) = (Vec::new(), vec![ready.entropy_bits()]);
        for count in [10, 21, 2] {
            ready.take(count, &mut out);
            ready.put(&vec![1; count]);
            seen.push(ready.entropy_bits());
        }
        assert_eq!(seen, [256, 176, 8, 0]);
    }

    #[test]
    fn a_new_seed_wipes_what_is_left() {
        let mut ready = Ready::new(8);
        ready.put(&[7; 8]);
        assert_eq!(ready.take(3, &mut Vec::new()), 3);
        ready.begin(64);
        assert_eq!((ready.held(), ready.room(), ready.made(), ready.wiped()), (0, 8, 8, 5));
    }
}
