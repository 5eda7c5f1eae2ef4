//! The tests of one server's bytes.
//!
//! A MAC vouches for a key, and nothing for a server. So its first bytes are held back until a whole block of 20,000 bits has
//! passed all tests: the power-up test of FIPS 140-2, 4.9.1, and more than the 1,024 samples of the start-up test of SP 800-90B,
//! 4.3. Then they are used.

use ekey_health::{BLOCK_BYTES, Change};

use crate::config;
use crate::source::Grade;
use crate::source::batch::Batch;
use crate::source::health::{Checkup, Vitals};

/// Bytes read and tested at a time: one more than any answer has.
pub(super) const READ_LEN: usize = 256;

/// Tests one server, for as long as the daemon runs.
pub(super) struct Trial {
    checkup: Checkup,
    /// The bytes of a block that is not complete, until the first one has passed.
    held_back: Option<Batch>,
}

/// What came of testing bytes.
pub(super) struct Tested {
    /// What to hand on now, if anything.
    pub(super) bytes: Option<(Batch, Grade)>,
    /// Whether a test failed: the server should not be asked for a while.
    pub(super) failed: bool,
    /// How the state of the server changed, if it did, for the log.
    pub(super) change: Option<Change>,
}

impl Trial {
    /// Starts with a server of which nothing is known.
    pub(super) fn new(config: &config::Health) -> Self {
        Self { checkup: Checkup::new(config), held_back: Some(block()) }
    }

    /// Tests the server's next bytes, at most [`READ_LEN`].
    pub(super) fn test(&mut self, bytes: &[u8]) -> Tested {
        let before = self.vitals();
        let verdict = self.checkup.judge(bytes);
        let after = self.vitals();
        let (failed, change) = (after.failures() > before.failures(), verdict.change);
        let Some(mut held_back) = self.held_back.take() else {
            return Tested { bytes: Some((Batch::new(bytes.to_vec()), verdict.grade)), failed, change };
        };
        held_back.extend_from_slice(bytes);
        let ([blocks, bad], [blocks_before, bad_before]) =
            (<[u64; 2]>::from(after.fips_blocks()), <[u64; 2]>::from(before.fips_blocks()));
        let grade = match verdict.grade {
            Grade::Fit if blocks == blocks_before => {
                self.held_back = Some(held_back);
                return Tested { bytes: None, failed, change };
            }
            // About one good block in 1,250 fails. The next one may pass.
            Grade::Fit if bad > bad_before => {
                self.held_back = Some(block());
                Grade::Unfit { suspect: None }
            }
            grade => grade,
        };
        Tested { bytes: Some((held_back, grade)), failed, change }
    }

    /// Ends the holding back of what came so far, and returns it: the first block begins anew.
    pub(super) fn let_go(&mut self) -> Option<Batch> {
        let held_back = self.held_back.as_mut().filter(|held_back| !held_back.is_empty())?;
        Some(std::mem::replace(held_back, block()))
    }

    /// Returns whether the tests alone need more bytes, whether or not any are wanted: for the first block, or for the good
    /// blocks of a retired server.
    pub(super) fn needs_more(&self) -> bool {
        !self.has_passed()
    }

    /// Returns how many bytes are held back.
    pub(super) fn held_back(&self) -> usize {
        self.held_back.as_ref().map_or(0, |held_back| held_back.len())
    }

    /// Returns whether the first block has passed.
    pub(super) fn has_passed(&self) -> bool {
        self.held_back.is_none() && !self.checkup.vitals().is_retired()
    }

    /// Returns the state of the tests.
    pub(super) fn vitals(&self) -> Vitals {
        self.checkup.vitals()
    }
}

/// Returns room for a block and what may come with its last byte.
fn block() -> Batch {
    Batch::with_capacity(BLOCK_BYTES + READ_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `n`th byte of a good source.
    fn good(n: u64) -> u8 {
        let mut word = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) as u8
    }

    /// Returns the byte at a place.
    type Source = fn(u64) -> u8;

    /// Feeds a trial `count` bytes. Returns it, the bytes that came out as fit and as unfit, and where a test first failed.
    fn run(source: impl Fn(u64) -> u8, count: u64, piece: usize) -> (Trial, Vec<u8>, Vec<u8>, Option<usize>) {
        let mut trial = Trial::new(&config::Health::default());
        let bytes: Vec<u8> = (0..count).map(source).collect();
        let (mut fit, mut unfit, mut failed) = (Vec::new(), Vec::new(), None);
        for (at, piece) in bytes.chunks(piece).enumerate() {
            let tested = trial.test(piece);
            if tested.failed {
                failed.get_or_insert(at);
            }
            match tested.bytes {
                Some((bytes, Grade::Fit)) => fit.extend_from_slice(&bytes),
                Some((bytes, Grade::Unfit { .. })) => unfit.extend_from_slice(&bytes),
                None => {}
            }
        }
        assert_eq!(fit.len() + unfit.len() + trial.held_back(), bytes.len(), "every byte is somewhere");
        (trial, fit, unfit, failed)
    }

    #[test]
    fn the_first_block_is_held_back_then_used() {
        for piece in [1, 100, READ_LEN] {
            let (trial, fit, _, _) = run(good, 2499, piece);
            assert_eq!((fit.len(), trial.held_back()), (0, 2499), "in pieces of {piece}");
            assert!(trial.needs_more(), "in pieces of {piece}");
            let (trial, fit, _, failed) = run(good, 10_000, piece);
            assert!(trial.has_passed() && failed.is_none(), "in pieces of {piece}");
            assert_eq!((fit, trial.needs_more()), ((0..10_000).map(good).collect(), false), "in pieces of {piece}");
        }
    }

    #[test]
    fn after_letting_go_the_first_block_begins_anew() {
        let (mut trial, ..) = run(good, 2000, READ_LEN);
        assert_eq!(trial.let_go().map(|bytes| bytes.to_vec()), Some((0..2000).map(good).collect()));
        assert_eq!((trial.held_back(), trial.let_go().is_none(), trial.has_passed()), (0, true, false));
        let fit: Vec<u8> = (2000..10_000)
            .flat_map(|n| trial.test(&[good(n)]).bytes.map_or(Vec::new(), |(bytes, _)| bytes.to_vec()))
            .collect();
        assert_eq!(fit, (2000..10_000).map(good).collect::<Vec<u8>>());
    }

    #[test]
    fn nothing_of_a_bad_server_is_fit() {
        let biased = |n: u64| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(good(n * 8 + bit) < 154));
        let sources: [(&str, Source); 3] =
            [("zeros", |_| 0), ("a block of 64", |n| good(n % 64)), ("a counter", |n| n as u8)];
        for (name, source) in sources.into_iter().chain([("60 % ones", biased as Source)]) {
            let (trial, fit, _, failed) = run(source, 50_000, 128);
            assert_eq!(fit.len(), 0, "bytes of {name}");
            assert!(failed.is_some() && trial.vitals().is_retired(), "{name} is retired");
            assert!(trial.needs_more(), "{name} is tested on");
        }
    }

    #[test]
    fn a_retired_server_comes_back_after_good_blocks() {
        let blocks = u64::from(config::Health::default().good_blocks);
        // Twice as many: about one good block in 1,250 fails, and the count begins again.
        let (trial, fit, unfit, _) = run(|n| if n < 500 { 0 } else { good(n) }, 2500 * (2 * blocks + 3), 128);
        assert!(trial.has_passed() && !trial.vitals().is_retired());
        assert!(unfit.len() as u64 >= 2500 * blocks, "{} bytes were tested only", unfit.len());
        assert!(!fit.is_empty(), "and the next ones are used");
    }
}
