//! Combining keys: what EGD clients get is made of at least two keys each time, so that no single key, nor anyone who knows
//! its long-term key, knows what is handed out.
//!
//! Each 16 bytes are the AES-256-CMAC over 24 bytes of one key and 24 of another. CMAC is a vetted conditioning component of
//! SP 800-90B 3.1.5.1.1; it gives full entropy where at least 64 bits more go in than come out, which holds here even when all
//! that one of the two keys gave is known. The CMAC's own key is made anew at each start and need not be secret.

mod cmac;

use std::io;

use ekey_control::status::CombineStatus;
use zeroize::Zeroizing;

use crate::source::batch::{Batch, wipe};
use crate::stock::pool::Pool;
use cmac::Conditioner;

/// Bytes of each of two keys in a block.
const OF_EACH: usize = 24;
/// Bytes held of a key.
const HELD: usize = 64 * 1024;
/// Bytes of combined entropy that are held ready. They are made when there is room, and so few that it takes no time.
const READY: usize = 16 * 1024;

/// The entropy of each key, and what is made of it.
pub(crate) struct Combiner {
    conditioner: Conditioner,
    keys: Vec<Source>,
    ready: Pool,
    /// What there is while fewer than two keys run: nothing.
    nothing: Pool,
    running: usize,
    in_bytes: u64,
    out_bytes: u64,
    received: u64,
    wiped: u64,
}

/// What a key has sent and was not used.
struct Source {
    key: u32,
    pool: Pool,
    is_running: bool,
}

impl Combiner {
    /// With nothing yet, and a CMAC key from `/dev/urandom`.
    ///
    /// # Errors
    /// Whatever keeps `/dev/urandom` from being read.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self::with(Conditioner::new()?))
    }

    fn with(conditioner: Conditioner) -> Self {
        Self {
            conditioner,
            keys: Vec::new(),
            ready: Pool::new(READY),
            nothing: Pool::new(1),
            running: 0,
            in_bytes: 0,
            out_bytes: 0,
            received: 0,
            wiped: 0,
        }
    }

    /// Takes in what the key with this number has sent, and returns what there was no room for.
    pub(crate) fn put(&mut self, key: u32, mut batch: Batch) -> Option<Batch> {
        let at = self.keys.iter().position(|source| source.key == key).unwrap_or_else(|| {
            // A key that is added anew has a new number; what it left under the old one would stay for ever.
            let gone = self.keys.iter().filter(|source| !source.is_running);
            self.wiped += gone.map(|source| source.pool.len() as u64).sum::<u64>();
            self.keys.retain(|source| source.is_running);
            self.keys.push(Source { key, pool: Pool::new(HELD), is_running: true });
            self.keys.len() - 1
        });
        let pool = &mut self.keys[at].pool;
        let room = pool.room().min(batch.len());
        let spare = (room < batch.len()).then(|| Batch::new(batch[room..].to_vec()));
        wipe(&mut batch[room..]);
        batch.truncate(room);
        self.received += room as u64;
        pool.put(batch);
        spare
    }

    /// Wipes up to `count` of the freshest bytes of a key. What was combined stays: it is as good as the other key.
    pub(crate) fn wipe_freshest(&mut self, key: u32, count: u64) {
        if let Some(source) = self.keys.iter_mut().find(|source| source.key == key) {
            let before = source.pool.len();
            source.pool.wipe_freshest(count);
            self.wiped += (before - source.pool.len()) as u64;
        }
    }

    /// Makes as much as there is room and entropy for, if at least two keys run; `running` are the numbers of those that do.
    pub(crate) fn combine(&mut self, running: impl Iterator<Item = u32> + Clone) {
        for source in &mut self.keys {
            source.is_running = running.clone().any(|key| key == source.key);
        }
        let before = std::mem::replace(&mut self.running, running.count());
        match (before >= 2, self.running >= 2) {
            (false, true) => tracing::info!(keys = self.running, "keys are combined for EGD clients"),
            (true, false) => tracing::warn!("{}", problem(self.running)),
            _ => {}
        }
        while let Some((one, other)) = self.next_two() {
            let mut input = Zeroizing::new(Vec::with_capacity(2 * OF_EACH));
            for at in [one, other] {
                self.keys[at].pool.take_freshest(OF_EACH, &mut input);
            }
            self.in_bytes += input.len() as u64;
            let block = self.conditioner.condition(&input);
            self.out_bytes += block.len() as u64;
            self.ready.put(block);
        }
    }

    /// What EGD clients are served from.
    pub(crate) fn output(&mut self) -> &mut Pool {
        if self.running >= 2 { &mut self.ready } else { &mut self.nothing }
    }

    /// The same, to be looked at.
    pub(crate) fn shown(&self) -> &Pool {
        if self.running >= 2 { &self.ready } else { &self.nothing }
    }

    /// Whether more could be made at once.
    pub(crate) fn is_pending(&self) -> bool {
        self.next_two().is_some()
    }

    /// Bytes that came in and were not passed on.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The combiner as people and programs get to see it.
    pub(crate) fn status(&self) -> CombineStatus {
        CombineStatus {
            running_keys: self.running as u64,
            in_bytes: self.in_bytes,
            out_bytes: self.out_bytes,
            held_bytes: self.keys.iter().map(|source| source.pool.len() as u64).sum(),
            ready_bytes: self.ready.len() as u64,
            wiped_bytes: self.wiped,
            problem: (self.running < 2).then(|| problem(self.running)),
        }
    }

    /// The two keys that have most, if there is work and room.
    fn next_two(&self) -> Option<(usize, usize)> {
        if self.running < 2 || self.ready.room() < Conditioner::OUTPUT {
            return None;
        }
        let able = |source: &Source| source.is_running && source.pool.len() >= OF_EACH;
        let mut able: Vec<usize> = (0..self.keys.len()).filter(|at| able(&self.keys[*at])).collect();
        able.sort_by_key(|at| std::cmp::Reverse(self.keys[*at].pool.len()));
        Some((*able.first()?, *able.get(1)?))
    }
}

fn problem(running: usize) -> String {
    let keys = if running == 1 { "one key runs".to_owned() } else { "no key runs".to_owned() };
    format!("{keys}, and combining needs two: EGD clients get nothing until another runs, or combine = false in [egd]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(byte: u8, count: usize) -> Batch {
        Batch::new(vec![byte; count])
    }

    fn take(combiner: &mut Combiner) -> Vec<u8> {
        let mut out = Vec::new();
        combiner.output().take_oldest(usize::MAX, &mut out);
        out
    }

    #[test]
    fn each_block_is_the_cmac_of_as_much_of_two_keys() {
        let mut combiner = Combiner::with(Conditioner::with_key(&[7; 32]));
        assert!(combiner.put(1, batch(0xaa, 48)).is_none());
        assert!(combiner.put(2, batch(0xbb, 47)).is_none());
        combiner.combine([1, 2].into_iter());
        let due = Conditioner::with_key(&[7; 32]).condition(&[[0xaa; OF_EACH], [0xbb; OF_EACH]].concat());
        assert_eq!(take(&mut combiner), **due);
        let status = combiner.status();
        assert_eq!((status.in_bytes, status.out_bytes, status.held_bytes), (48, 16, 47));
        assert_eq!(status.problem, None);
    }

    #[test]
    fn one_key_alone_gives_nothing_and_what_was_made_waits_for_the_second() {
        let mut combiner = Combiner::with(Conditioner::with_key(&[7; 32]));
        combiner.put(1, batch(1, 480));
        combiner.combine([1].into_iter());
        assert!(take(&mut combiner).is_empty());
        assert!(combiner.status().problem.is_some_and(|problem| problem.contains("one key runs")));
        combiner.put(2, batch(2, 48));
        combiner.combine([1, 2].into_iter());
        combiner.combine([2].into_iter());
        assert!(take(&mut combiner).is_empty(), "combined bytes wait while one of the keys is away");
        combiner.combine([1, 2].into_iter());
        assert_eq!(take(&mut combiner).len(), 32);
    }

    #[test]
    fn two_running_keys_are_needed_and_not_the_remains_of_one() {
        let mut combiner = Combiner::with(Conditioner::with_key(&[7; 32]));
        combiner.put(1, batch(1, 480));
        combiner.put(2, batch(2, 480));
        combiner.combine([2, 3].into_iter());
        assert!(take(&mut combiner).is_empty(), "key 1 has gone and key 3 has sent nothing");
    }

    #[test]
    fn what_does_not_fit_is_given_back() {
        let mut combiner = Combiner::with(Conditioner::with_key(&[7; 32]));
        assert!(combiner.put(1, batch(1, HELD - 10)).is_none());
        assert_eq!(combiner.put(1, batch(2, 32)).map(|spare| spare.len()), Some(22));
        assert_eq!(combiner.received(), HELD as u64);
    }
}
