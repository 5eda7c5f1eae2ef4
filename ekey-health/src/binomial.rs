//! Computes critical values of the binomial distribution: how many hits in a number of trials are still chance.

use crate::Alpha;

/// Returns the smallest number of hits that at most `alpha` of all runs of `trials` exceed, if one trial hits with probability
/// `p`: `CRITBINOM(trials, p, 1 - alpha)` of SP 800-90B 4.4.2.
///
/// It adds up the upper tail from its far end. Every term is positive, so nothing cancels, and the result is right even where
/// `1 - alpha` in floating point cannot tell one value from the next. `p` must be above 0 and below 1.
pub fn critical(trials: u32, p: f64, alpha: Alpha) -> u32 {
    let weights = Weights::of(trials, p);
    let limit = alpha.value() * weights.sum();
    let mut tail = 0.0;
    for (at, weight) in weights.from_mode.iter().enumerate().rev() {
        tail += weight;
        if tail > limit {
            return weights.mode + at as u32;
        }
    }
    weights.mode
}

/// Returns the probability of `least` hits or more.
pub(crate) fn at_least(least: u32, trials: u32, p: f64) -> f64 {
    let weights = Weights::of(trials, p);
    let sum = weights.sum();
    let above = |least: u32| weights.from_mode.iter().skip(least as usize).rev().sum::<f64>();
    match least.checked_sub(weights.mode) {
        Some(above_mode) => above(above_mode) / sum,
        None => (above(0) + weights.below_mode.iter().take((weights.mode - least) as usize).sum::<f64>()) / sum,
    }
}

/// Ignores weights below this: less than 2^-199 of that of the most likely number.
const NEGLIGIBLE: f64 = 1e-60;

/// Holds the probabilities of the numbers of hits, as multiples of that of the most likely number. Each is computed from the one
/// before it, without logarithms and powers: those would link the mathematics library into a daemon that needs it nowhere else.
struct Weights {
    mode: u32,
    /// For the most likely number and those above it.
    from_mode: Vec<f64>,
    /// For those below it, in falling order.
    below_mode: Vec<f64>,
}

impl Weights {
    fn of(trials: u32, p: f64) -> Self {
        let odds = p / (1.0 - p);
        let mode = ((f64::from(trials) + 1.0) * p) as u32;
        let mode = mode.min(trials);
        let mut from_mode = vec![1.0];
        let mut weight = 1.0;
        for hits in mode..trials {
            weight *= f64::from(trials - hits) / f64::from(hits + 1) * odds;
            if weight < NEGLIGIBLE {
                break;
            }
            from_mode.push(weight);
        }
        let mut below_mode = Vec::new();
        weight = 1.0;
        for hits in (1..=mode).rev() {
            weight *= f64::from(hits) / (f64::from(trials - hits + 1) * odds);
            if weight < NEGLIGIBLE {
                break;
            }
            below_mode.push(weight);
        }
        Self { mode, from_mode, below_mode }
    }

    fn sum(&self) -> f64 {
        self.from_mode.iter().chain(&self.below_mode).rev().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(bits: u8) -> Alpha {
        Alpha::from_bits(bits).unwrap()
    }

    /// All computed with 80 digits, for 1/rate bits a sample in windows of 512. Linux' jitter generator has 325 too, for one bit
    /// a sample.
    #[test]
    fn cut_offs_up_to_a_bit_a_sample_are_exact() {
        let expected = [325, 422, 458, 477, 487, 494, 499, 502, 505, 507, 508, 509, 510, 511, 512];
        for (rate, expected) in (1..).zip(expected) {
            let p = (-1.0 / f64::from(rate)).exp2();
            assert_eq!(1 + critical(512, p, bits(30)), expected, "H = 1/{rate}");
        }
        assert_eq!(1 + critical(1024, 0.5, bits(20)), 589, "a bit a sample, windows of 1024");
    }

    /// Computed with whole numbers of 4,096 bits, without any rounding.
    #[test]
    fn cut_offs_for_eight_bits_a_byte_are_exact() {
        for (alpha, expected) in [(20, 13), (30, 16), (40, 19), (60, 25)] {
            assert_eq!(1 + critical(512, 1.0 / 256.0, bits(alpha)), expected, "alpha = 2^-{alpha}");
        }
        for (alpha, expected) in [(20, 4), (30, 6), (40, 7), (60, 10)] {
            assert_eq!(1 + critical(64, 0.001, bits(alpha)), expected, "alpha = 2^-{alpha}");
        }
        let exact = -37.625_153_437_896_67;
        assert!((at_least(18, 511, 1.0 / 256.0).log2() - exact).abs() < 1e-9);
    }

    #[test]
    fn at_least_falls_from_one() {
        for (trials, p) in [(1, 0.5), (64, 0.001), (512, 1.0 / 256.0), (512, 0.999), (99_999, 0.001)] {
            assert!((at_least(0, trials, p) - 1.0).abs() < 1e-10, "{trials} {p}");
            let mut last = f64::INFINITY;
            for least in 0..=trials.min(300) {
                let now = at_least(least, trials, p);
                assert!(now <= last, "{least} of {trials}: {now} after {last}");
                last = now;
            }
        }
        assert_eq!(at_least(2, 2, 0.5), 0.25);
        assert_eq!(at_least(1, 2, 0.5), 0.75);
    }
}
