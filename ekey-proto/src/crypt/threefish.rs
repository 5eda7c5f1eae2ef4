//! The block cipher Threefish-256 with the constants of Skein 1.1 (2008).
//!
//! Keys in the field use 1.1. Version 1.2 changed the rotations and 1.3 the key-schedule parity, so no published
//! implementation fits. Source: firmware-notes/skein.md, "Threefish".

/// Rotations of a round's two mixes. The pattern repeats every eight rounds.
const ROTATIONS: [(u32, u32); 8] = [(5, 56), (36, 28), (13, 46), (58, 44), (26, 20), (53, 35), (11, 42), (59, 50)];
const PARITY: u64 = 0x5555_5555_5555_5555;

/// Four words of 64 bits: a key, a block or a chaining value.
pub(super) type Words = [u64; 4];

/// One encryption: `block` under `key` and `tweak`.
pub(super) struct Call<'a> {
    pub(super) key: &'a Words,
    pub(super) tweak: [u64; 2],
    pub(super) block: &'a Words,
}

/// Encrypts the block of each call. The calls are independent, and their rounds alternate.
///
/// In one call each instruction waits for the one before, so a processor idles two thirds of the time. A second call
/// fills the gaps and takes little longer. Unrolled rounds save the schedule's divisions by 5 and 3. The release
/// profile must not let LLVM pack a lane's words into vectors (SLP, on at `opt-level = 3`): a call would take twice as
/// long. `cargo bench -p ekey-proto` shows both.
#[inline]
pub(super) fn encrypt<const LANES: usize>(calls: [Call<'_>; LANES]) -> [Words; LANES] {
    let mut lanes = calls.map(|call| Lane::new(&call));
    add_subkey::<0, LANES>(&mut lanes);
    macro_rules! eight_rounds {
        ($($eight:literal)*) => {$(
            four_rounds::<0, LANES>(&mut lanes);
            add_subkey::<{ 2 * $eight + 1 }, LANES>(&mut lanes);
            four_rounds::<4, LANES>(&mut lanes);
            add_subkey::<{ 2 * $eight + 2 }, LANES>(&mut lanes);
        )*};
    }
    // 72 rounds.
    eight_rounds!(0 1 2 3 4 5 6 7 8);
    lanes.map(|lane| lane.x)
}

struct Lane {
    x: Words,
    key: [u64; 5],
    tweak: [u64; 3],
}

impl Lane {
    #[inline(always)]
    fn new(call: &Call<'_>) -> Self {
        let ([k0, k1, k2, k3], [t0, t1]) = (*call.key, call.tweak);
        Self { x: *call.block, key: [k0, k1, k2, k3, PARITY ^ k0 ^ k1 ^ k2 ^ k3], tweak: [t0, t1, t0 ^ t1] }
    }
}

/// Runs the four rounds whose rotations begin at `FROM`.
#[inline(always)]
fn four_rounds<const FROM: usize, const LANES: usize>(lanes: &mut [Lane; LANES]) {
    for pair in ROTATIONS[FROM..FROM + 4].chunks_exact(2) {
        mix(lanes, 0, 1, pair[0].0);
        mix(lanes, 2, 3, pair[0].1);
        mix(lanes, 0, 3, pair[1].0);
        mix(lanes, 2, 1, pair[1].1);
    }
}

#[inline(always)]
fn mix<const LANES: usize>(lanes: &mut [Lane; LANES], a: usize, b: usize, rotation: u32) {
    for Lane { x, .. } in lanes {
        x[a] = x[a].wrapping_add(x[b]);
        x[b] = x[b].rotate_left(rotation) ^ x[a];
    }
}

#[inline(always)]
fn add_subkey<const NUMBER: usize, const LANES: usize>(lanes: &mut [Lane; LANES]) {
    for Lane { x, key, tweak } in lanes {
        x[0] = x[0].wrapping_add(key[NUMBER % 5]);
        x[1] = x[1].wrapping_add(key[(NUMBER + 1) % 5]).wrapping_add(tweak[NUMBER % 3]);
        x[2] = x[2].wrapping_add(key[(NUMBER + 2) % 5]).wrapping_add(tweak[(NUMBER + 1) % 3]);
        x[3] = x[3].wrapping_add(key[(NUMBER + 3) % 5]).wrapping_add(NUMBER as u64);
    }
}
