//! The bytes held between sources and outlets, proven or not, each with its source.
//!
//! Bytes enter by [`Stock::put`] and leave once, by [`Stock::take`] or a wipe, which wipes their old place. The stock belongs to
//! one thread. It is bounded: when it is full, it discards the oldest bytes of the fullest source.

pub(crate) mod combine;
mod entropy;
pub(crate) mod ledger;
mod memory;
mod ring;
pub(crate) mod share;

use combine::{BLOCK, Combiner, OF_EACH};
use memory::{Memory, PIECE};
use ring::Ring;

use crate::source::batch::wipe;
use crate::source::{Delivery, SourceId, Trust};

pub(crate) use entropy::bytes_with;
pub(crate) use ring::End;

/// Which bytes an outlet may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Any.
    Any,
    /// Bytes that the kernel may count as entropy.
    Credited,
    /// Bytes that a MAC proves to come from a key.
    Proven,
    /// Bytes made of two keys' proven bytes on taking, so that no single key knows them.
    OfTwoKeys,
}

/// The bytes of all sources.
pub(crate) struct Stock {
    memory: Memory,
    capacity: usize,
    rings: Vec<Ring>,
    /// Sources that deliver now. Only their bytes are combined.
    delivering: Vec<SourceId>,
    combiner: Option<Combiner>,
    puts: u64,
    counters: Counters,
}

/// Bytes that went through the stock since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Came in.
    pub received: u64,
    /// Discarded because there was no room.
    pub overflowed: u64,
    /// Wiped because they were suspect, or the daemon forgot them.
    pub wiped: u64,
}

impl Stock {
    /// Makes an empty stock for `capacity` bytes. It uses memory only as it fills. Without a `combiner` it holds nothing
    /// [`OfTwoKeys`](Need::OfTwoKeys).
    pub(crate) fn new(capacity: usize, combiner: Option<Combiner>) -> Self {
        Self {
            memory: Memory::new(capacity),
            capacity,
            rings: Vec::new(),
            delivering: Vec::new(),
            combiner,
            puts: 0,
            counters: Counters::default(),
        }
    }

    /// Takes in a delivery. If there is no room, discards the oldest bytes of the fullest source.
    pub(crate) fn put(&mut self, delivery: &Delivery) {
        let mut rest = &delivery.bytes[..];
        self.counters.received += rest.len() as u64;
        self.puts += 1;
        let at = self.ring_of(delivery);
        while !rest.is_empty() {
            let room = self.capacity.saturating_sub(self.held(Need::Any));
            let put = self.rings[at].put(&rest[..rest.len().min(room)], self.puts, &mut self.memory);
            rest = &rest[put..];
            if put == 0 {
                self.make_room(rest.len());
            }
        }
    }

    /// Counts bytes of a source's stream that failed a test and never come in.
    pub(crate) fn skip(&mut self, from: SourceId, count: usize) {
        if let Some(ring) = self.rings.iter_mut().find(|ring| ring.from == from) {
            ring.skip(count);
        }
    }

    /// Returns how many bytes of a kind can be taken now.
    pub(crate) fn held(&self, need: Need) -> usize {
        match need {
            Need::OfTwoKeys => self.combined(),
            need => self.rings.iter().filter(|ring| ring.meets(need)).map(Ring::len).sum(),
        }
    }

    /// Moves up to `count` bytes of a kind to the end of `out`, and returns how many.
    pub(crate) fn take(&mut self, count: usize, end: End, need: Need, out: &mut Vec<u8>) -> usize {
        if need == Need::OfTwoKeys {
            return self.take_combined(count, out);
        }
        let mut taken = 0;
        while taken < count {
            let fits = |ring: &&mut Ring| ring.len() > 0 && ring.meets(need);
            let rings = self.rings.iter_mut().filter(fits);
            let ring = match end {
                End::Freshest => rings.max_by_key(|ring| ring.put_at(end)),
                End::Oldest => rings.min_by_key(|ring| ring.put_at(end)),
            };
            let Some(ring) = ring else { break };
            let part = (count - taken).min(ring.run_len(end));
            taken += ring.take(part, end, &mut self.memory, |bytes| out.extend_from_slice(bytes));
        }
        taken
    }

    /// Wipes those of the last `suspect` bytes of a source's stream that are still held. Returns how many.
    pub(crate) fn wipe(&mut self, from: SourceId, suspect: u64) -> usize {
        let ring = self.rings.iter_mut().find(|ring| ring.from == from);
        let wiped = ring.map_or(0, |ring| ring.wipe(suspect, &mut self.memory));
        self.counters.wiped += wiped as u64;
        wiped
    }

    /// Wipes everything, also what was made of keys' bytes. Returns how many bytes of sources that were.
    pub(crate) fn forget(&mut self) -> usize {
        let Self { rings, memory, .. } = self;
        let wiped = rings.iter_mut().map(|ring| ring.wipe(u64::MAX, memory)).sum();
        self.counters.wiped += wiped as u64;
        if let Some(combiner) = &mut self.combiner {
            combiner.forget();
        }
        wiped
    }

    /// Counts a delivery that came too late: it is wiped, and never goes in.
    pub(crate) fn wipe_late(&mut self, delivery: &Delivery) {
        let bytes = delivery.bytes.len() as u64;
        self.skip(delivery.from, delivery.bytes.len());
        self.counters.received += bytes;
        self.counters.wiped += bytes;
    }

    /// Notes which sources deliver now.
    pub(crate) fn note_delivering(&mut self, sources: Vec<SourceId>) {
        if let Some(combiner) = &mut self.combiner {
            combiner.note_running(sources.len());
        }
        self.delivering = sources;
    }

    /// Returns how many bytes fit without discarding any.
    pub(crate) fn room(&self) -> usize {
        self.capacity - self.held(Need::Any)
    }

    /// Returns how many bytes fit into the empty stock.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns all of its memory, used or not.
    pub(crate) fn memory(&self) -> &[u8] {
        self.memory.bytes()
    }

    /// Returns what went through it.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// Returns the combiner, if keys are combined.
    pub(crate) fn combiner(&self) -> Option<&Combiner> {
        self.combiner.as_ref()
    }

    fn ring_of(&mut self, delivery: &Delivery) -> usize {
        let Delivery { from, trust, credited, .. } = *delivery;
        if let Some(at) = self.rings.iter().position(|ring| ring.from == from) {
            return at;
        }
        // An empty ring can go: sources come and go.
        self.rings.retain(|ring| ring.len() > 0);
        self.rings.push(Ring::new(from, trust, credited));
        self.rings.len() - 1
    }

    /// Discards up to `wanted` of the oldest bytes of the fullest source, at most a piece.
    fn make_room(&mut self, wanted: usize) {
        let Some(ring) = self.rings.iter_mut().max_by_key(|ring| ring.len()) else { return };
        self.counters.overflowed += ring.take(wanted.min(PIECE), End::Oldest, &mut self.memory, |_| {}) as u64;
    }

    fn combines(&self, ring: &Ring) -> bool {
        ring.trust == Trust::Proven && self.delivering.contains(&ring.from)
    }

    /// Returns how many bytes can be made of pairs of keys; each pair gives a block.
    fn combined(&self) -> usize {
        let Some(combiner) = self.combiner.as_ref().filter(|combiner| combiner.is_running()) else { return 0 };
        let parts = self.rings.iter().filter(|ring| self.combines(ring)).map(|ring| ring.len() / OF_EACH);
        let (all, most) = parts.fold((0, 0), |(all, most), parts| (all + parts, most.max(parts)));
        combiner.spare() + BLOCK * (all / 2).min(all - most)
    }

    fn take_combined(&mut self, count: usize, out: &mut Vec<u8>) -> usize {
        let count = count.min(self.combined());
        let before = out.len();
        loop {
            let Some(combiner) = &mut self.combiner else { return 0 };
            combiner.take_spare(count - (out.len() - before), out);
            if out.len() - before == count {
                return count;
            }
            let mut input = [0; 2 * OF_EACH];
            let Some([one, other]) = self.fullest_two() else { return out.len() - before };
            for (ring, half) in [one, other].into_iter().zip(input.chunks_exact_mut(OF_EACH)) {
                let mut filled = 0;
                self.rings[ring].take(OF_EACH, End::Freshest, &mut self.memory, |bytes| {
                    half[filled..filled + bytes.len()].copy_from_slice(bytes);
                    filled += bytes.len();
                });
            }
            if let Some(combiner) = &mut self.combiner {
                combiner.combine(&input);
            }
            wipe(&mut input);
        }
    }

    /// Returns the two keys of which the most is held, if there is enough of both.
    fn fullest_two(&self) -> Option<[usize; 2]> {
        let mut rings: Vec<usize> = (0..self.rings.len()).filter(|at| self.combines(&self.rings[*at])).collect();
        rings.sort_by_key(|at| std::cmp::Reverse(self.rings[*at].len()));
        match rings[..] {
            [one, other, ..] if self.rings[other].len() >= OF_EACH => Some([one, other]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
