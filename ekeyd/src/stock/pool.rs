//! The pool: proven entropy between the keys and the outputs.
//!
//! It is bounded and belongs to one thread. Bytes come in at the new end; whoever wants good bytes soon takes the freshest,
//! whoever wants all of them in order takes the oldest, and what overflows is the oldest too. A byte leaves by one way only,
//! and its place is wiped when it does.

use ekey_proto::EntropyBlock;

use crate::source::batch::{Batch, wipe};

/// How many bytes a batch from a key holds at most.
pub(crate) const MOST_BATCH: usize = 256 * EntropyBlock::LEN;

/// A bounded store of entropy. See the module's words for who takes what.
pub(crate) struct Pool {
    ring: Box<[u8]>,
    oldest: usize,
    len: usize,
    /// Bits of entropy that all its bytes have together, where that is less than all of theirs.
    entropy_bits: Option<u64>,
    counters: Counters,
}

/// What went through the pool since the start, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Came in.
    pub received: u64,
    /// Discarded since there was no room.
    pub overflowed: u64,
    /// Discarded since they were suspect.
    pub wiped: u64,
}

impl Pool {
    /// An empty pool for `capacity` bytes. Memory is used only as it fills.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            ring: vec![0; capacity].into_boxed_slice(),
            oldest: 0,
            len: 0,
            entropy_bits: None,
            counters: Counters::default(),
        }
    }

    /// Takes in a batch from a key; the oldest bytes make room if they must.
    pub(crate) fn put(&mut self, batch: Batch) {
        self.counters.received += batch.len() as u64;
        self.put_back(batch);
    }

    /// Takes back what was taken out and found no taker.
    #[expect(clippy::needless_pass_by_value, reason = "the batch is wiped once its bytes are here")]
    pub(crate) fn put_back(&mut self, batch: Batch) {
        let too_many = (self.len + batch.len()).saturating_sub(self.ring.len());
        self.counters.overflowed += too_many as u64;
        let from_ring = too_many.min(self.len);
        self.discard_oldest(from_ring);
        let kept = &batch[too_many - from_ring..];
        let at = self.place(self.len);
        let (until_end, from_start) = kept.split_at(kept.len().min(self.ring.len() - at));
        self.ring[at..at + until_end.len()].copy_from_slice(until_end);
        self.ring[..from_start.len()].copy_from_slice(from_start);
        self.len += kept.len();
    }

    /// Moves up to `count` of the freshest bytes to the end of `out`, and returns how many.
    pub(crate) fn take_freshest(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        let count = count.min(self.len);
        self.len -= count;
        let at = self.place(self.len);
        self.move_out(at, count, out);
        count
    }

    /// Moves up to `count` of the oldest bytes to the end of `out`, and returns how many.
    pub(crate) fn take_oldest(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        let count = count.min(self.len);
        let at = self.oldest;
        self.move_out(at, count, out);
        self.oldest = self.place(count);
        self.len -= count;
        count
    }

    /// Wipes up to `count` of the freshest bytes. Where some have been taken meanwhile these are older ones, so that at least all
    /// that came with the last `count` bytes and is still here is gone.
    pub(crate) fn wipe_freshest(&mut self, count: u64) {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.len);
        self.len -= count;
        let at = self.place(self.len);
        let until_end = count.min(self.ring.len() - at);
        wipe(&mut self.ring[at..at + until_end]);
        wipe(&mut self.ring[..count - until_end]);
        self.counters.wiped += count as u64;
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// States that its bytes have no more than so many bits of entropy, all that are put in from now on included. Each byte
    /// that leaves takes eight of them along.
    pub(crate) fn state_entropy(&mut self, bits: u64) {
        self.entropy_bits = Some(bits);
    }

    /// Bits of entropy held.
    pub(crate) fn entropy_bits(&self) -> u64 {
        let held = self.len as u64 * 8;
        self.entropy_bits.map_or(held, |bits| bits.min(held))
    }

    /// Bytes that fit without discarding any.
    pub(crate) fn room(&self) -> usize {
        self.ring.len() - self.len
    }

    /// Bytes that fit into it when it is empty.
    pub(crate) fn capacity(&self) -> usize {
        self.ring.len()
    }

    /// What went through it.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    fn discard_oldest(&mut self, count: usize) {
        let (at, until_end) = (self.oldest, count.min(self.ring.len() - self.oldest));
        wipe(&mut self.ring[at..at + until_end]);
        wipe(&mut self.ring[..count - until_end]);
        self.oldest = self.place(count);
        self.len -= count;
    }

    fn move_out(&mut self, at: usize, count: usize, out: &mut Vec<u8>) {
        self.entropy_bits = self.entropy_bits.map(|bits| bits.saturating_sub(count as u64 * 8));
        let until_end = count.min(self.ring.len() - at);
        for part in [at..at + until_end, 0..count - until_end] {
            out.extend_from_slice(&self.ring[part.clone()]);
            wipe(&mut self.ring[part]);
        }
    }

    /// The place of the byte that is `offset` behind the oldest.
    fn place(&self, offset: usize) -> usize {
        (self.oldest + offset) % self.ring.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        wipe(&mut self.ring);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bytes: impl IntoIterator<Item = u8>) -> Batch {
        Batch::new(bytes.into_iter().collect())
    }

    #[test]
    fn the_freshest_and_the_oldest_are_taken_from_either_end() {
        let mut pool = Pool::new(16);
        pool.put(batch(0..10));
        let mut out = Vec::new();
        assert_eq!(pool.take_freshest(3, &mut out), 3);
        assert_eq!(pool.take_oldest(4, &mut out), 4);
        assert_eq!(out, [7, 8, 9, 0, 1, 2, 3]);
        assert_eq!((pool.len(), pool.room()), (3, 13));
    }

    #[test]
    fn what_overflows_is_the_oldest_and_is_counted() {
        let mut pool = Pool::new(4);
        pool.put(batch(0..3));
        pool.put(batch(3..6));
        pool.put(batch(10..20));
        let mut out = Vec::new();
        assert_eq!(pool.take_oldest(9, &mut out), 4);
        assert_eq!(out, [16, 17, 18, 19]);
        assert_eq!(pool.counters(), Counters { received: 16, overflowed: 12, wiped: 0 });
    }

    #[test]
    fn a_byte_that_has_left_is_wiped_where_it_was() {
        let mut pool = Pool::new(8);
        let mut out = Vec::new();
        for _ in 0..5 {
            pool.put(batch([0xaa; 5]));
            pool.take_freshest(2, &mut out);
            pool.take_oldest(3, &mut out);
        }
        pool.put(batch([0xaa; 12]));
        pool.put(batch([0xbb; 8]));
        pool.take_oldest(8, &mut out);
        assert_eq!(*pool.ring, [0; 8]);
    }

    #[test]
    fn suspect_bytes_are_wiped_from_the_fresh_end_and_counted() {
        let mut pool = Pool::new(8);
        pool.put(batch(1..7));
        let mut out = Vec::new();
        pool.take_oldest(4, &mut out);
        pool.put(batch(7..13));
        pool.wipe_freshest(5);
        assert_eq!((pool.len(), pool.counters().wiped), (3, 5));
        assert_eq!(pool.ring.iter().filter(|byte| **byte != 0).count(), 3, "{:?}", pool.ring);
        pool.wipe_freshest(u64::MAX);
        assert_eq!((pool.len(), pool.counters()), (0, Counters { received: 12, overflowed: 0, wiped: 8 }));
        assert_eq!(*pool.ring, [0; 8]);
    }

    #[test]
    fn bytes_that_are_not_full_of_entropy_take_eight_bits_each_of_what_there_is() {
        let mut pool = Pool::new(64);
        pool.put(batch([1; 8]));
        assert_eq!(pool.entropy_bits(), 64, "a pool's bytes are full of entropy unless it is stated otherwise");
        pool.put(batch([1; 56]));
        pool.state_entropy(256);
        let (mut out, mut seen) = (Vec::new(), vec![pool.entropy_bits()]);
        for count in [10, 21, 2] {
            pool.take_freshest(count, &mut out);
            pool.put(batch(vec![1; count]));
            seen.push(pool.entropy_bits());
        }
        assert_eq!(seen, [256, 176, 8, 0]);
    }

    #[test]
    fn any_order_of_puts_and_takes_hands_out_each_byte_once() {
        let mut pool = Pool::new(1000);
        let (mut out, mut next, mut seed) = (Vec::new(), 0_u32, 1_u32);
        while next < 60_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let count = (seed >> 16) as usize % 60;
            match seed >> 30 {
                0 => drop(pool.take_freshest(count * 4, &mut out)),
                1 => drop(pool.take_oldest(count * 4, &mut out)),
                _ if pool.room() >= count * 4 => {
                    pool.put(Batch::new((0..count as u32).flat_map(|i| (next + i).to_be_bytes()).collect()));
                    next += count as u32;
                }
                _ => {}
            }
        }
        pool.take_oldest(1000, &mut out);
        let mut numbers: Vec<_> = out.chunks(4).map(|four| u32::from_be_bytes(four.try_into().unwrap())).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..next).collect::<Vec<_>>());
    }
}
