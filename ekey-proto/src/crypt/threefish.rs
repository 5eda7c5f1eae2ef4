//! The block cipher Threefish-256 with the constants of Skein 1.1 (2008).
//!
//! Version 1.2 changed the rotations and 1.3 the key-schedule parity, which is why no published implementation can
//! be used: the keys in the field speak 1.1. Source: firmware-notes/skein.md, "Threefish".

/// Rotation of the two mixes of a round; the pattern repeats every eight rounds.
const ROTATIONS: [(u32, u32); 8] = [(5, 56), (36, 28), (13, 46), (58, 44), (26, 20), (53, 35), (11, 42), (59, 50)];
const PARITY: u64 = 0x5555_5555_5555_5555;
const ROUNDS: usize = 72;

/// Four words of 64 bits: a key, a block or a chaining value.
pub(super) type Words = [u64; 4];

/// Encrypts `block` under `key` and `tweak`.
#[inline]
pub(super) fn encrypt(key: &Words, tweak: [u64; 2], block: &Words) -> Words {
    #[cfg(test)]
    calls::count();
    let key = [key[0], key[1], key[2], key[3], PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3]];
    let tweak = [tweak[0], tweak[1], tweak[0] ^ tweak[1]];
    let mut x = *block;
    add_subkey(&mut x, &key, &tweak, 0);
    for eight in 0..ROUNDS / 8 {
        four_rounds(&mut x, &ROTATIONS[..4]);
        add_subkey(&mut x, &key, &tweak, 2 * eight + 1);
        four_rounds(&mut x, &ROTATIONS[4..]);
        add_subkey(&mut x, &key, &tweak, 2 * eight + 2);
    }
    x
}

#[inline(always)]
fn four_rounds(x: &mut Words, rotations: &[(u32, u32)]) {
    for pair in rotations.chunks_exact(2) {
        mix(x, 0, 1, pair[0].0);
        mix(x, 2, 3, pair[0].1);
        mix(x, 0, 3, pair[1].0);
        mix(x, 2, 1, pair[1].1);
    }
}

#[inline(always)]
fn mix(x: &mut Words, a: usize, b: usize, rotation: u32) {
    x[a] = x[a].wrapping_add(x[b]);
    x[b] = x[b].rotate_left(rotation) ^ x[a];
}

#[inline(always)]
fn add_subkey(x: &mut Words, key: &[u64; 5], tweak: &[u64; 3], number: usize) {
    x[0] = x[0].wrapping_add(key[number % 5]);
    x[1] = x[1].wrapping_add(key[(number + 1) % 5]).wrapping_add(tweak[number % 3]);
    x[2] = x[2].wrapping_add(key[(number + 2) % 5]).wrapping_add(tweak[(number + 1) % 3]);
    x[3] = x[3].wrapping_add(key[(number + 3) % 5]).wrapping_add(number as u64);
}

/// Counts encryptions of the current thread, so that a test can hold the cost of a frame.
#[cfg(test)]
pub(super) mod calls {
    use std::cell::Cell;
    std::thread_local!(static CALLS: Cell<u64> = const { Cell::new(0) });

    pub(super) fn count() {
        CALLS.set(CALLS.get() + 1);
    }

    pub(in crate::crypt) fn during(work: impl FnOnce()) -> u64 {
        let before = CALLS.get();
        work();
        CALLS.get() - before
    }
}
