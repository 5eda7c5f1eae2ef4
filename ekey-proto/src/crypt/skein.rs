//! Skein-256-256 (version 1.1) as the key uses it: keyed, personalised, with two endings.
//!
//! The key differs from the textbook in two ways, and no real frame verifies without them:
//! it feeds the personalisation but never finalises it, so its last 32 bytes are never hashed ([`Personalised::new`]);
//! and its MAC is the chaining value after the last block, without the output stage ([`Personalised::chain`]).
//!
//! Source: firmware-notes/skein.md.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::threefish::{self, Call, Words};
use crate::wire::{CONTENT_LEN, Serial, SubCode};

const BLOCK_LEN: usize = 32;
/// Hashed bytes of a personalisation string: the key pads it with spaces to 96 and drops the last block.
const ABSORBED_LEN: usize = 64;

const FIRST: u64 = 1 << 62;
const FINAL: u64 = 1 << 63;

/// What a hash is for: selects its personalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Session key from long-term key.
    SessionKey,
    /// MAC of a frame or of a nonce: their strings differ only in the bytes that are never hashed.
    Mac,
    /// Mask of an entropy frame.
    Mask,
    /// Long-term key from master key.
    LongTermKey,
}

/// A hash with its serial number, secret and purpose, ready for a message. Keep it: making one costs five block
/// encryptions (two if only the purpose is new), using it two.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Personalised {
    chain: Words,
}

/// A hash with its serial number and secret, without a purpose yet.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Keyed {
    chain: Words,
}

/// The kind of input of a block. It goes into the tweak.
#[derive(Clone, Copy)]
enum Stage {
    Key = 0,
    Config = 4,
    Personalisation = 8,
    Message = 48,
    Output = 63,
}

impl Keyed {
    /// Keys a hash with a serial number and 32 secret bytes.
    pub(super) fn new(serial: &Serial, secret: &[u8; 32]) -> Self {
        let mut key = [0; Serial::LEN + 32];
        key[..Serial::LEN].copy_from_slice(serial.as_bytes());
        key[Serial::LEN..].copy_from_slice(secret);
        let chain = absorb([0; 4], Stage::Key, &[&key]);
        key.zeroize();
        Self { chain: absorb(chain, Stage::Config, &[&CONFIG]) }
    }

    /// Adds the purpose.
    pub(super) fn personalised(&self, purpose: Purpose) -> Personalised {
        let mut chain = self.chain;
        let absorbed = purpose.absorbed();
        let (front, back) = absorbed.split_at(BLOCK_LEN);
        link([&mut chain], [&Block::new(Stage::Personalisation, front, BLOCK_LEN, FIRST)]);
        link([&mut chain], [&Block::new(Stage::Personalisation, back, ABSORBED_LEN, 0)]);
        Personalised { chain }
    }
}

impl Personalised {
    /// Keys a hash and adds its purpose.
    pub(super) fn new(serial: &Serial, secret: &[u8; 32], purpose: Purpose) -> Self {
        Keyed::new(serial, secret).personalised(purpose)
    }

    /// Hashes the parts of a message into a key, with the output stage.
    pub(super) fn digest(&self, message: &[&[u8]]) -> [u8; 32] {
        let mut chain = self.chain(message);
        let mut digest = output(chain);
        let bytes = to_bytes(&digest);
        chain.zeroize();
        digest.zeroize();
        bytes
    }

    /// Hashes the parts of a message into a MAC's chaining value, without the output stage.
    pub(super) fn chain(&self, message: &[&[u8]]) -> Words {
        absorb(self.chain, Stage::Message, message)
    }

    /// Hashes a frame's sub-code into its mask, with the output stage.
    pub(super) fn mask(&self, sub_code: SubCode) -> Words {
        let mut chain = self.chain;
        link([&mut chain], [&Block::whole(Stage::Message, &sub_code.encode())]);
        let mask = output(chain);
        chain.zeroize();
        mask
    }
}

/// Hashes a frame's content into its MAC's chaining value with `mac`, and its sub-code into its mask with `mask`.
///
/// The two chains of two block encryptions each take little longer together than one alone.
pub(super) fn mac_and_mask(
    mac: &Personalised,
    content: &[u8; CONTENT_LEN],
    mask: &Personalised,
    sub_code: SubCode,
) -> (Words, Words) {
    let (mut mac, mut mask) = (mac.chain, mask.chain);
    let (front, back) = content.split_at(BLOCK_LEN);
    let front = Block::new(Stage::Message, front, BLOCK_LEN, FIRST);
    link([&mut mac, &mut mask], [&front, &Block::whole(Stage::Message, &sub_code.encode())]);
    let back = Block::new(Stage::Message, back, CONTENT_LEN, FINAL);
    link([&mut mac, &mut mask], [&back, &OUTPUT]);
    (mac, mask)
}

impl Purpose {
    /// Returns the part of the personalisation that the key hashes.
    fn absorbed(self) -> [u8; ABSORBED_LEN] {
        const PREFIX: &[u8] = b"20090609 support@simtec.co.uk EntropyKey/v1/";
        let name: &[u8] = match self {
            Self::SessionKey => b"ReKeyingState",
            Self::Mac => b"MessageAuthenticationCodeState",
            Self::Mask => b"EntropyEncryptionState",
            Self::LongTermKey => b"LongTermReKeyingState",
        };
        let mut absorbed = [b' '; ABSORBED_LEN];
        absorbed.iter_mut().zip(PREFIX.iter().chain(name)).for_each(|(slot, byte)| *slot = *byte);
        absorbed
    }
}

/// Schema "SHA3" version 1, 256 bits of output, sequential.
const CONFIG: [u8; BLOCK_LEN] = {
    let mut config = [0; BLOCK_LEN];
    let head = *b"SHA3\x01\x00\x00\x00\x00\x01";
    let mut at = 0;
    while at < head.len() {
        config[at] = head[at];
        at += 1;
    }
    config
};

/// Returns the bytes of a chaining value, each word little-endian.
pub(super) fn to_bytes(words: &Words) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The one block of the output stage: a counter of eight bytes, 0 for the first 32 bytes of output.
const OUTPUT: Block = Block { words: [0; 4], tweak: [8, FIRST | FINAL | (Stage::Output as u64) << 56] };

/// Runs the output stage.
fn output(mut chain: Words) -> Words {
    link([&mut chain], [&OUTPUT]);
    chain
}

/// Runs `input` through the chaining value as one stage. Pads the last block with zeros and marks it final.
fn absorb(mut chain: Words, stage: Stage, input: &[&[u8]]) -> Words {
    let mut bytes = [0; BLOCK_LEN];
    let (mut filled, mut position, mut first) = (0, 0, FIRST);
    let mut add = |bytes: &[u8], position, flags| {
        let mut block = Block::new(stage, bytes, position, flags);
        link([&mut chain], [&block]);
        block.words.zeroize();
    };
    for mut part in input.iter().copied() {
        while !part.is_empty() {
            if filled == BLOCK_LEN {
                position += BLOCK_LEN;
                add(&bytes, position, first);
                (filled, first) = (0, 0);
            }
            let (now, later) = part.split_at(part.len().min(BLOCK_LEN - filled));
            bytes[filled..filled + now.len()].copy_from_slice(now);
            filled += now.len();
            part = later;
        }
    }
    add(&bytes[..filled], position + filled, first | FINAL);
    bytes.zeroize();
    chain
}

/// The inputs of one block encryption other than the chaining value.
struct Block {
    words: Words,
    tweak: [u64; 2],
}

impl Block {
    /// Makes the block of up to 32 bytes that ends at byte `position` of its stage. `flags`: [`FIRST`], [`FINAL`], both
    /// or 0.
    #[inline]
    fn new(stage: Stage, bytes: &[u8], position: usize, flags: u64) -> Self {
        let mut padded = [0; BLOCK_LEN];
        padded[..bytes.len()].copy_from_slice(bytes);
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(padded.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
        }
        Self { words, tweak: [position as u64, flags | (stage as u64) << 56] }
    }

    /// Makes the only block of a stage.
    #[inline]
    fn whole(stage: Stage, bytes: &[u8]) -> Self {
        Self::new(stage, bytes, bytes.len(), FIRST | FINAL)
    }
}

/// Adds one block to each of several independent chains.
#[inline]
fn link<const LANES: usize>(chains: [&mut Words; LANES], blocks: [&Block; LANES]) {
    #[cfg(test)]
    calls::count(LANES);
    let call = |lane: usize| Call { key: &*chains[lane], tweak: blocks[lane].tweak, block: &blocks[lane].words };
    let ciphers: [Words; LANES] = threefish::encrypt(core::array::from_fn(call));
    for ((chain, cipher), block) in chains.into_iter().zip(ciphers).zip(blocks) {
        for ((link, cipher), plain) in chain.iter_mut().zip(cipher).zip(block.words) {
            *link = cipher ^ plain;
        }
    }
}

/// Counts the block encryptions of the current thread, for the test of what a frame costs.
#[cfg(test)]
pub(super) mod calls {
    use std::cell::Cell;
    std::thread_local!(static CALLS: Cell<usize> = const { Cell::new(0) });

    pub(super) fn count(calls: usize) {
        CALLS.set(CALLS.get() + calls);
    }

    pub(in crate::crypt) fn during(work: impl FnOnce()) -> usize {
        let before = CALLS.get();
        work();
        CALLS.get() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypt::test_vectors::{bytes, session};

    fn plain_skein(message: &[u8]) -> [u8; 32] {
        to_bytes(&output(absorb(absorb([0; 4], Stage::Config, &[&CONFIG]), Stage::Message, &[message])))
    }

    #[test]
    fn the_configuration_gives_the_known_chaining_value() {
        let vectors = session();
        let words = vectors["skein_1_1_256_256_config_iv_words_hex"].as_array().unwrap();
        let chain = absorb([0; 4], Stage::Config, &[&CONFIG]);
        for (word, known) in chain.iter().zip(words) {
            assert_eq!(std::format!("{word:016x}"), known.as_str().unwrap());
        }
    }

    #[test]
    fn plain_skein_gives_the_known_answers() {
        let vectors = session();
        let answers = vectors["skein_1_1_256_256"].as_array().unwrap();
        assert_eq!(answers.len(), 6);
        for answer in answers {
            let message = bytes(&answer["message_hex"]);
            assert_eq!(plain_skein(&message)[..], bytes(&answer["digest_hex"]), "of {} bytes", message.len());
        }
    }

    #[test]
    fn a_message_may_come_in_parts() {
        let hash = Personalised { chain: [1, 2, 3, 4] };
        assert_eq!(hash.digest(&[&[7; 20], &[7; 25]]), hash.digest(&[&[7; 45]]));
    }
}
