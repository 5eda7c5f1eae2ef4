//! The false-alarm rate from which cut-offs are computed.

use std::fmt;
use std::str::FromStr;

/// A probability of 2^-N, with N from 20 to 60 (SP 800-90B 4.4 recommends 20 to 40).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alpha {
    bits: u8,
}

/// Rejects text that does not name such a rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidAlpha;

impl Alpha {
    /// Returns 2^-`bits`, or `None` if `bits` is not from 20 to 60.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits >= 20 && bits <= 60 { Some(Self { bits }) } else { None }
    }

    /// Returns N of 2^-N.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// Returns the probability as a number.
    pub fn value(self) -> f64 {
        1.0 / (1_u64 << self.bits) as f64
    }
}

impl Default for Alpha {
    /// Returns 2^-40.
    fn default() -> Self {
        Self { bits: 40 }
    }
}

impl FromStr for Alpha {
    type Err = InvalidAlpha;

    /// Reads `2^-40`.
    fn from_str(text: &str) -> Result<Self, InvalidAlpha> {
        let digits = text.strip_prefix("2^-").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).and_then(Self::from_bits).ok_or(InvalidAlpha)
    }
}

impl fmt::Display for Alpha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "2^-{}", self.bits)
    }
}

impl fmt::Display for InvalidAlpha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a false-alarm rate from \"2^-20\" to \"2^-60\"")
    }
}

impl std::error::Error for InvalidAlpha {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_as_it_prints() {
        for bits in 20..=60 {
            let alpha = Alpha::from_bits(bits).unwrap();
            assert_eq!(alpha.to_string().parse(), Ok(alpha));
        }
        assert_eq!(Alpha::default().value(), 1.0 / 1_099_511_627_776.0);
        for wrong in ["", "40", "2^40", "2^-", "2^-19", "2^-61", "2^-+40", "2^-400", "1e-12"] {
            assert_eq!(wrong.parse::<Alpha>(), Err(InvalidAlpha), "{wrong}");
        }
    }
}
