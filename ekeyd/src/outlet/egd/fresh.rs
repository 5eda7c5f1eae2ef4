//! Mixes fresh bytes of the kernel's generator into those that leave for a client.
//!
//! A clone of a running machine has the same stock, and the daemon hears of it late. The kernel's generators of two clones differ
//! as soon as each has a seed of its own, so what leaves differs too. XOR with bytes that do not depend on a client's keeps all
//! of their entropy, whatever those bytes are.

use std::io;
use std::time::Instant;

use crate::log_limit::LogLimit;
use crate::source::batch::wipe;
use crate::urandom;

/// Bytes mixed at a time: a client's request has at most 255.
const PIECE: usize = 256;

/// Mixes, and logs a failure.
#[derive(Default)]
pub(super) struct Freshener {
    failed: LogLimit,
}

impl Freshener {
    /// Mixes fresh bytes into all of `bytes`. If there are none, which only a broken system causes, leaves the rest as it is.
    pub(super) fn mix(&mut self, bytes: &mut [u8]) {
        if let Err(error) = mix_from(urandom::fill, bytes)
            && let Some(more) = self.failed.admit(Instant::now())
        {
            tracing::error!(
                "/dev/urandom: {error}; clients get bytes that a clone of this machine has too: let the daemon read it{more}"
            );
        }
    }
}

fn mix_from(fill: fn(&mut [u8]) -> io::Result<()>, bytes: &mut [u8]) -> io::Result<()> {
    let mut fresh = [0; PIECE];
    for piece in bytes.chunks_mut(PIECE) {
        let fresh = &mut fresh[..piece.len()];
        fill(fresh)?;
        piece.iter_mut().zip(fresh.iter()).for_each(|(byte, fresh)| *byte ^= fresh);
    }
    wipe(&mut fresh);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_mixed_with_one_of_its_own() {
        let mut bytes: Vec<u8> = (0..600).map(|n| n as u8).collect();
        let count = |out: &mut [u8]| {
            out.iter_mut().zip(1..).for_each(|(byte, n)| *byte = n as u8);
            Ok(())
        };
        mix_from(count, &mut bytes).unwrap();
        let expected: Vec<u8> = (0..600).map(|n| n as u8 ^ (n % PIECE + 1) as u8).collect();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn equal_bytes_leave_as_different_ones() {
        let (mut one, mut other) = ([7; 600], [7; 600]);
        Freshener::default().mix(&mut one);
        Freshener::default().mix(&mut other);
        let equal = one.chunks(16).zip(other.chunks(16)).filter(|(one, other)| one == other).count();
        assert_eq!(equal, 0, "pieces of 16 bytes");
    }

    #[test]
    fn without_fresh_bytes_none_is_lost() {
        let mut bytes = [7; 600];
        mix_from(|_| Err(io::ErrorKind::NotFound.into()), &mut bytes).unwrap_err();
        assert_eq!(bytes, [7; 600]);
    }
}
