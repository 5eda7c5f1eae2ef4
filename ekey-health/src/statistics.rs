//! Computes simple statistics of a piece of the stream, as `ent` prints them, and a lower estimate of its entropy.

mod normal;

use normal::{chi_square_z, two_sided};

/// Gathers counts, piece by piece.
#[derive(Debug, Clone)]
pub struct Statistics {
    counts: [u64; 256],
    bytes: u64,
    first: u8,
    last: u8,
    /// The sum of each byte times its successor.
    products: u64,
}

/// The statistics that follow from the counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many bytes came.
    pub bytes: u64,
    /// The part of the bits that are ones; expected: one half.
    pub ones: f64,
    /// The probability that good data is as far from one half, or further.
    pub ones_p: f64,
    /// Pearson's sum over the 256 values; expected: 255, with a standard deviation of 23.
    pub chi_square: f64,
    /// The probability that good data is as far from 255, on either side.
    pub chi_square_p: f64,
    /// Correlation of each byte with its successor (Knuth, TAOCP 3.3.2.K), where the first byte follows the last; expected: 0.
    /// NaN if all bytes are alike.
    pub serial_correlation: f64,
    /// The probability that good data is as far from 0.
    pub serial_correlation_p: f64,
    /// The mean byte; expected: 127.5.
    pub mean: f64,
    /// Shannon's entropy of the counts, in bits a byte: at most 8, and lower for fewer bytes.
    pub shannon: f64,
    /// The most common value estimate of SP 800-90B 6.3.1, in bits of min-entropy a byte, with 99 % confidence: a lower bound
    /// for a source whose bytes are independent.
    pub min_entropy: f64,
}

impl Default for Statistics {
    fn default() -> Self {
        Self { counts: [0; 256], bytes: 0, first: 0, last: 0, products: 0 }
    }
}

impl Statistics {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some(first) = bytes.first() else { return };
        if self.bytes == 0 {
            self.first = *first;
        } else {
            self.products += u64::from(self.last) * u64::from(*first);
        }
        for pair in bytes.windows(2) {
            self.products += u64::from(pair[0]) * u64::from(pair[1]);
        }
        for byte in bytes {
            self.counts[usize::from(*byte)] += 1;
        }
        self.last = bytes[bytes.len() - 1];
        self.bytes += bytes.len() as u64;
    }

    /// Returns how often each value came.
    pub fn counts(&self) -> &[u64; 256] {
        &self.counts
    }

    /// Returns the statistics, or `None` for fewer than two bytes.
    pub fn summary(&self) -> Option<Summary> {
        if self.bytes < 2 {
            return None;
        }
        let n = self.bytes as f64;
        let values = || (0_u8..=255).zip(self.counts).map(|(value, count)| (value, count as f64));
        let ones = values().map(|(value, count)| f64::from(value.count_ones()) * count).sum::<f64>() / (8.0 * n);
        let expected = n / 256.0;
        let chi_square = values().map(|(_, count)| (count - expected).powi(2) / expected).sum::<f64>();
        let sum = values().map(|(value, count)| f64::from(value) * count).sum::<f64>();
        let squares = values().map(|(value, count)| f64::from(value).powi(2) * count).sum::<f64>();
        let products = self.products as f64 + f64::from(self.last) * f64::from(self.first);
        let serial_correlation = (n * products - sum * sum) / (n * squares - sum * sum);
        let shares = values().map(|(_, count)| count / n).filter(|share| *share > 0.0);
        Some(Summary {
            bytes: self.bytes,
            ones,
            ones_p: two_sided((ones - 0.5) * 2.0 * (8.0 * n).sqrt()),
            chi_square,
            chi_square_p: two_sided(chi_square_z(chi_square, 255.0)),
            serial_correlation,
            serial_correlation_p: if serial_correlation.is_nan() {
                0.0
            } else {
                two_sided(serial_correlation * n.sqrt())
            },
            mean: sum / n,
            shannon: shares.map(|share| -share * share.log2()).sum(),
            min_entropy: self.most_common_value(),
        })
    }

    fn most_common_value(&self) -> f64 {
        let n = self.bytes as f64;
        let share = self.counts.iter().copied().max().unwrap_or(0) as f64 / n;
        let upper = share + 2.576 * (share * (1.0 - share) / (n - 1.0)).sqrt();
        // Not -0 for a source that is stuck.
        -upper.min(1.0).log2() + 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Summary {
        let mut statistics = Statistics::default();
        bytes.chunks(7).for_each(|piece| statistics.feed(piece));
        statistics.summary().expect("enough bytes")
    }

    #[test]
    fn each_value_once_is_too_even() {
        let all: Vec<u8> = (0..=255).collect();
        let summary = of(&all);
        assert_eq!((summary.ones, summary.chi_square, summary.mean, summary.shannon), (0.5, 0.0, 127.5, 8.0));
        assert!(summary.chi_square_p < 1e-30, "too even to be chance: {}", summary.chi_square_p);
        assert!(summary.serial_correlation > 0.95, "{}", summary.serial_correlation);
    }

    /// The example of SP 800-90B 6.3.1: the most common of 20 samples comes 8 times.
    #[test]
    fn most_common_value_agrees_with_the_standard() {
        let samples = [0, 1, 1, 2, 0, 1, 2, 2, 0, 1, 0, 1, 1, 0, 2, 2, 1, 0, 2, 1];
        let summary = of(&samples);
        assert!((summary.min_entropy - 0.5363).abs() < 0.0001, "{}", summary.min_entropy);
    }

    #[test]
    fn a_constant_has_no_entropy() {
        let summary = of(&[7; 1000]);
        assert_eq!((summary.min_entropy, summary.shannon), (0.0, 0.0));
        assert!(summary.serial_correlation.is_nan() && summary.serial_correlation_p == 0.0);
        assert!(summary.chi_square_p < 1e-100);
        assert_eq!(Statistics::default().summary(), None);
    }
}
