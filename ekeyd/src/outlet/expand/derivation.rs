//! Block_Cipher_df with AES-256: condenses any amount of input into a seed. Source: NIST SP 800-90A Rev. 1, 10.3.2 and 10.3.3.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use zeroize::Zeroizing;

/// Bytes of AES-256's key.
pub(super) const KEY_LEN: usize = 32;
/// Bytes of a block.
pub(super) const BLOCK_LEN: usize = 16;
/// `seedlen` of Table 3, in bytes.
pub(super) const SEED_LEN: usize = KEY_LEN + BLOCK_LEN;

/// The key of 10.3.2, step 8: 0, 1, 2 and so on.
const KEY: [u8; KEY_LEN] = {
    let mut key = [0; 32];
    let mut at = 0;
    while at < key.len() {
        key[at] = at as u8;
        at += 1;
    }
    key
};

/// Returns a seed made of `parts` in a row.
pub(super) fn derive(parts: &[&[u8]]) -> Zeroizing<[u8; SEED_LEN]> {
    let input = padded(parts);
    let cipher = Aes256::new((&KEY).into());
    let mut halfway = Zeroizing::new([0; SEED_LEN]);
    for (number, piece) in (0_u32..).zip(halfway.chunks_mut(BLOCK_LEN)) {
        let mut first = [0; BLOCK_LEN];
        first[..4].copy_from_slice(&number.to_be_bytes());
        piece.copy_from_slice(&*chained(&cipher, &first, &input));
    }
    let (key, start) = halfway.split_at(KEY.len());
    let mut block = Zeroizing::new([0; BLOCK_LEN]);
    block.copy_from_slice(start);
    let mut stretched = Zeroizing::new([0; KEY.len()]);
    stretched.copy_from_slice(key);
    let cipher = Aes256::new((&*stretched).into());
    let mut seed = Zeroizing::new([0; SEED_LEN]);
    for piece in seed.chunks_mut(BLOCK_LEN) {
        cipher.encrypt_block((&mut *block).into());
        piece.copy_from_slice(&*block);
    }
    seed
}

/// Returns the input behind its length and that of the seed, with its end marked (10.3.2, steps 2 to 5).
fn padded(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    // Allocated in full, so that it never moves.
    let mut input = Zeroizing::new(Vec::with_capacity((4 + 4 + len + 1).next_multiple_of(BLOCK_LEN)));
    input.extend_from_slice(&(len as u32).to_be_bytes());
    input.extend_from_slice(&(SEED_LEN as u32).to_be_bytes());
    parts.iter().for_each(|part| input.extend_from_slice(part));
    input.push(0x80);
    let whole = input.len().next_multiple_of(BLOCK_LEN);
    input.resize(whole, 0);
    input
}

/// Returns BCC (10.3.3) over `first` and `input`.
fn chained(cipher: &Aes256, first: &[u8; BLOCK_LEN], input: &[u8]) -> Zeroizing<[u8; BLOCK_LEN]> {
    let mut chain = Zeroizing::new([0; BLOCK_LEN]);
    for block in std::iter::once(first.as_slice()).chain(input.chunks(BLOCK_LEN)) {
        chain.iter_mut().zip(block).for_each(|(chain, byte)| *chain ^= byte);
        cipher.encrypt_block((&mut *chain).into());
    }
    chain
}
