//! Compares eight bytes at a time instead of one.

/// Bytes of a word.
pub(crate) const BYTES: usize = 8;

/// Returns whether two words have the same byte at the same place.
pub(crate) fn agree_somewhere(one: &[u8; BYTES], other: &[u8; BYTES]) -> bool {
    const LOWEST_BITS: u64 = u64::MAX / 0xff;
    const HIGHEST_BITS: u64 = LOWEST_BITS << 7;
    // A byte in which the words agree is 0 in their difference, and only a 0 less 1 gets a highest bit that it did not have. A
    // byte above a 0 may get one too, since the 0 borrows from it. Without a 0, none does.
    let difference = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
    difference.wrapping_sub(LOWEST_BITS) & !difference & HIGHEST_BITS != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_if_one_pair_of_bytes_is_equal() {
        for at in 0..BYTES {
            for byte in 0..=255 {
                for difference in 1..=255 {
                    let one = [byte; BYTES];
                    let mut other = [byte ^ difference; BYTES];
                    assert!(!agree_somewhere(&one, &other), "{byte} and {difference}");
                    other[at] = byte;
                    assert!(agree_somewhere(&one, &other), "{byte} and {difference} at {at}");
                }
            }
        }
    }
}
