//! CTR_DRBG with AES-256 and the derivation function. Source: NIST SP 800-90A Rev. 1, 10.2.1 and Table 3.
//!
//! It uses the derivation function because the seeds are verified bytes of a key, which are not claimed to have full entropy (the
//! kernel is credited with 7 bits a byte). Without it the entropy input must have full entropy (10.2.1, 10.2.1.3.1); with it the
//! input may have any length and only needs enough entropy in all (10.2.1.3.2, 8.6.3).

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::derivation::{BLOCK_LEN, KEY_LEN, SEED_LEN, derive};

/// A key and a counter, wiped when dropped. Keep it in a box, so that no move leaves a copy.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Drbg {
    key: [u8; KEY_LEN],
    counter: u128,
}

impl Drbg {
    /// Limit of one request in bytes: `max_number_of_bits_per_request` of Table 3.
    pub(super) const MOST_REQUEST: usize = (1 << 19) / 8;
    /// The output is as hard to guess as this many bits, however long it is.
    pub(super) const STRENGTH_BITS: u64 = 256;

    /// Instantiates it (10.2.1.3.2) with at least 256 bits of entropy, a nonce of at least 128, and a string of its own.
    pub(super) fn instantiate(entropy: &[u8], nonce: &[u8], personalization: &[u8]) -> Box<Self> {
        Self::with_seed(&derive(&[entropy, nonce, personalization]))
    }

    /// Reseeds it (10.2.1.4.2) with at least 256 bits of fresh entropy.
    pub(super) fn reseed(&mut self, entropy: &[u8]) {
        self.update(&derive(&[entropy]));
    }

    /// Mixes `additional` in, unless it is empty, and fills `out`, at most [`MOST_REQUEST`](Self::MOST_REQUEST) bytes (10.2.1.5.2).
    /// Then updates the state, so that the new state does not reveal the output.
    pub(super) fn generate(&mut self, out: &mut [u8], additional: &[u8]) {
        debug_assert!(out.len() <= Self::MOST_REQUEST, "{} bytes in one request", out.len());
        let mut provided = Zeroizing::new([0; SEED_LEN]);
        if !additional.is_empty() {
            provided = derive(&[additional]);
            self.update(&provided);
        }
        self.encrypt_counters(out);
        self.update(&provided);
    }

    fn with_seed(seed: &[u8; SEED_LEN]) -> Box<Self> {
        let mut new = Box::new(Self { key: [0; KEY_LEN], counter: 0 });
        new.update(seed);
        new
    }

    /// CTR_DRBG_Update (10.2.1.2).
    fn update(&mut self, provided: &[u8; SEED_LEN]) {
        let mut next = Zeroizing::new([0; SEED_LEN]);
        self.encrypt_counters(&mut *next);
        next.iter_mut().zip(provided).for_each(|(byte, provided)| *byte ^= provided);
        self.key.copy_from_slice(&next[..KEY_LEN]);
        let counter = next[KEY_LEN..].iter().fold(0, |counter, byte| counter << 8 | u128::from(*byte));
        self.counter = counter;
    }

    fn encrypt_counters(&mut self, out: &mut [u8]) {
        let cipher = Aes256::new((&self.key).into());
        for piece in out.chunks_mut(BLOCK_LEN) {
            self.counter = self.counter.wrapping_add(1);
            let mut block = Zeroizing::new(self.counter.to_be_bytes());
            cipher.encrypt_block((&mut *block).into());
            piece.copy_from_slice(&block[..piece.len()]);
        }
    }
}

#[cfg(test)]
#[path = "known_answers.rs"]
mod known_answers;
