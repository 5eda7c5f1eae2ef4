//! Combining keys: makes what EGD clients get of two keys, so that no single key, nor anyone who knows its long-term key, knows
//! the result.
//!
//! Each 16 bytes are the AES-256-CMAC over 48 bytes of one key and 48 of another. CMAC is a vetted conditioning component of
//! SP 800-90B 3.1.5.1.1. It gives full entropy where at least 64 bits more go in than come out (SP 800-90C), which holds here even
//! if all that one of the two keys gave is known, and a byte of the other has only half of its bits ([`bytes_with`]). The CMAC's own
//! key is new at each start and need not be secret.

mod cmac;

use std::io;
use std::time::Instant;

use ekey_control::status::CombineStatus;

use super::entropy::bytes_with;
use crate::log_limit::LogLimit;
use crate::source::batch::wipe;
use cmac::Conditioner;

/// Bytes made of two keys' bytes.
pub(super) const BLOCK: usize = Conditioner::OUTPUT;
/// Bits that must go into a conditioning component above those that come out, for full entropy.
const EXCESS_BITS: u64 = 64;
/// Bytes of each of two keys in a block: each key's are enough alone.
pub(super) const OF_EACH: usize = bytes_with(BLOCK as u64 * 8 + EXCESS_BITS);

/// Makes blocks of two keys' bytes.
pub(crate) struct Combiner {
    conditioner: Conditioner,
    /// The unused end of the last block.
    spare: Vec<u8>,
    running: usize,
    /// The log of beginnings and ends, which a key can cause again and again.
    begun: LogLimit,
    ended: LogLimit,
    in_bytes: u64,
    out_bytes: u64,
    forgotten: u64,
}

impl Combiner {
    /// Makes one with a CMAC key from `/dev/urandom`.
    ///
    /// # Errors
    /// `/dev/urandom` cannot be read.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self::with(Conditioner::new()?))
    }

    fn with(conditioner: Conditioner) -> Self {
        Self {
            conditioner,
            spare: Vec::with_capacity(BLOCK),
            running: 0,
            begun: LogLimit::default(),
            ended: LogLimit::default(),
            in_bytes: 0,
            out_bytes: 0,
            forgotten: 0,
        }
    }

    /// Wipes what waits, and takes a new CMAC key.
    pub(super) fn forget(&mut self) {
        self.forgotten += self.spare.len() as u64;
        wipe(&mut self.spare);
        self.spare.clear();
        // It need not be secret; the old one does as well.
        if let Ok(conditioner) = Conditioner::new() {
            self.conditioner = conditioner;
        }
    }

    /// Notes how many keys run, and logs when combining begins or ends.
    pub(super) fn note_running(&mut self, keys: usize) {
        match (self.running >= 2, keys >= 2) {
            (false, true) => {
                if let Some(more) = self.begun.admit(Instant::now()) {
                    tracing::info!(keys, "keys are combined for EGD clients{more}");
                }
            }
            (true, false) => {
                if let Some(more) = self.ended.admit(Instant::now()) {
                    tracing::warn!("{}{more}", problem(keys));
                }
            }
            _ => {}
        }
        self.running = keys;
    }

    /// Returns whether enough keys run.
    pub(super) fn is_running(&self) -> bool {
        self.running >= 2
    }

    /// Returns how many made bytes wait.
    pub(super) fn spare(&self) -> usize {
        self.spare.len()
    }

    /// Makes a block of the bytes of two keys.
    pub(super) fn combine(&mut self, of_two: &[u8; 2 * OF_EACH]) {
        let block = self.conditioner.condition(of_two);
        self.in_bytes += of_two.len() as u64;
        self.out_bytes += block.len() as u64;
        self.spare.extend_from_slice(&block);
    }

    /// Moves up to `count` waiting bytes to the end of `out`.
    pub(super) fn take_spare(&mut self, count: usize, out: &mut Vec<u8>) {
        let from = self.spare.len() - count.min(self.spare.len());
        out.extend_from_slice(&self.spare[from..]);
        wipe(&mut self.spare[from..]);
        self.spare.truncate(from);
    }

    /// Returns the status.
    pub(crate) fn status(&self) -> CombineStatus {
        CombineStatus {
            running_keys: self.running as u64,
            in_bytes: self.in_bytes,
            out_bytes: self.out_bytes,
            // Keys' bytes wait in the stock until they are combined.
            held_bytes: 0,
            ready_bytes: self.spare.len() as u64,
            wiped_bytes: 0,
            ready_wiped_bytes: self.forgotten,
            problem: (self.running < 2).then(|| problem(self.running)),
        }
    }
}

impl Drop for Combiner {
    fn drop(&mut self) {
        wipe(&mut self.spare);
    }
}

fn problem(running: usize) -> String {
    let keys = if running == 1 { "one key runs".to_owned() } else { "no key runs".to_owned() };
    format!("{keys}, and combining needs two: EGD clients get nothing until another runs, or combine = false in [egd]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_cmac_of_both_keys_bytes() {
        let mut combiner = Combiner::with(Conditioner::with_key(&[7; 32]));
        let mut of_two = [0xaa; 2 * OF_EACH];
        of_two[OF_EACH..].fill(0xbb);
        combiner.combine(&of_two);
        let mut out = Vec::new();
        combiner.take_spare(10, &mut out);
        combiner.take_spare(10, &mut out);
        let expected = Conditioner::with_key(&[7; 32]).condition(&of_two);
        assert_eq!([&out[10..], &out[..10]].concat(), **expected);
        let status = combiner.status();
        assert_eq!((status.in_bytes, status.out_bytes, status.ready_bytes), (96, 16, 0));
    }

    #[test]
    fn forgetting_wipes_what_waits_and_changes_the_key() {
        let mut combiner = Combiner::with(Conditioner::with_key(&[7; 32]));
        let of_two = [0xaa; 2 * OF_EACH];
        combiner.combine(&of_two);
        combiner.take_spare(6, &mut Vec::new());
        combiner.forget();
        let status = combiner.status();
        assert_eq!((combiner.spare(), status.out_bytes, status.ready_wiped_bytes), (0, 16, 10));
        combiner.combine(&of_two);
        let mut out = Vec::new();
        combiner.take_spare(BLOCK, &mut out);
        assert_ne!(out, **Conditioner::with_key(&[7; 32]).condition(&of_two));
    }

    #[test]
    fn one_key_alone_fills_a_block() {
        // As the generator of [expand] counts: 64 bytes for 256 bits.
        assert_eq!(bytes_with(256), 64);
        assert!(OF_EACH as u64 * 4 >= BLOCK as u64 * 8 + 64, "{OF_EACH} bytes of a key for {BLOCK}");
    }

    #[test]
    fn fewer_than_two_keys_are_a_problem() {
        let mut combiner = Combiner::with(Conditioner::with_key(&[7; 32]));
        assert!(!combiner.is_running() && combiner.status().problem.is_some());
        combiner.note_running(2);
        assert!(combiner.is_running() && combiner.status().problem.is_none());
        combiner.note_running(1);
        assert!(combiner.status().problem.is_some_and(|problem| problem.starts_with("one key runs")));
    }
}
