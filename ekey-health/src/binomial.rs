//! Critical values of the binomial distribution: how many hits in so many trials are still chance.

use crate::Alpha;

/// The smallest number of hits that at most `alpha` of all runs of `trials` exceed, where one trial hits with probability
/// `p`: `CRITBINOM(trials, p, 1 - alpha)` of SP 800-90B 4.4.2.
///
/// It adds up the upper tail, from its far end, in which every term is positive: nothing cancels, and the result is right
/// where `1 - alpha` in floating point would not tell one value from the next. `p` must be above 0 and below 1.
pub fn critical(trials: u32, p: f64, alpha: Alpha) -> u32 {
    let limit = alpha.value();
    let mut tail = 0.0;
    for (hits, probability) in probabilities(trials, p).into_iter().enumerate().rev() {
        tail += probability;
        if tail > limit {
            return hits as u32;
        }
    }
    0
}

/// The probability of `least` hits or more.
pub(crate) fn at_least(least: u32, trials: u32, p: f64) -> f64 {
    probabilities(trials, p).into_iter().skip(least as usize).rev().sum()
}

/// The probabilities of 0 to `trials` hits. Worked out as logarithms, since the far ones are below the smallest number.
fn probabilities(trials: u32, p: f64) -> Vec<f64> {
    let odds = p.ln() - (-p).ln_1p();
    let mut logarithm = f64::from(trials) * (-p).ln_1p();
    let mut all = Vec::with_capacity(trials as usize + 1);
    for hits in 0..=trials {
        all.push(logarithm.exp());
        logarithm += (f64::from(trials - hits) / f64::from(hits + 1)).ln() + odds;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bits: u8) -> Alpha {
        Alpha::from_bits(bits).unwrap()
    }

    /// 325 is the cut-off that Linux' jitter generator has for a bit a sample; all were worked out with 80 digits, for 1/rate
    /// bits a sample in windows of 512.
    #[test]
    fn cut_offs_for_one_bit_a_sample_and_less_are_those_of_exact_arithmetic() {
        let due = [325, 422, 458, 477, 487, 494, 499, 502, 505, 507, 508, 509, 510, 511, 512];
        for (rate, due) in (1..).zip(due) {
            let p = (-1.0 / f64::from(rate)).exp2();
            assert_eq!(1 + critical(512, p, bits(30)), due, "H = 1/{rate}");
        }
        assert_eq!(1 + critical(1024, 0.5, bits(20)), 589, "a bit a sample, windows of 1024");
    }

    /// Worked out with whole numbers of 4,096 bits, without any rounding.
    #[test]
    fn cut_offs_for_eight_bits_a_byte_are_those_of_exact_arithmetic() {
        for (alpha, due) in [(20, 13), (30, 16), (40, 19), (60, 25)] {
            assert_eq!(1 + critical(512, 1.0 / 256.0, bits(alpha)), due, "alpha = 2^-{alpha}");
        }
        for (alpha, due) in [(20, 4), (30, 6), (40, 7), (60, 10)] {
            assert_eq!(1 + critical(64, 0.001, bits(alpha)), due, "alpha = 2^-{alpha}");
        }
        let exact = -37.625_153_437_896_67;
        assert!((at_least(18, 511, 1.0 / 256.0).log2() - exact).abs() < 1e-9);
    }

    #[test]
    fn the_probabilities_add_up_to_one() {
        for (trials, p) in [(1, 0.5), (64, 0.001), (512, 1.0 / 256.0), (512, 0.999)] {
            let sum: f64 = probabilities(trials, p).iter().sum();
            assert!((sum - 1.0).abs() < 1e-10, "{trials} {p} gives {sum}");
        }
    }
}
