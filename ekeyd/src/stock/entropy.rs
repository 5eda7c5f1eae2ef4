//! How much entropy a byte of a key counts for, wherever bytes are made of keys' bytes.

/// Bits of entropy that a proven byte counts for: half of its bits, because nothing proves a key's bytes to have full entropy.
const BITS_PER_BYTE: u64 = 4;

/// Returns how many proven bytes have `bits` bits of entropy.
pub(crate) const fn bytes_with(bits: u64) -> usize {
    bits.div_ceil(BITS_PER_BYTE) as usize
}
