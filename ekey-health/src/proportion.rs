//! Runs the adaptive proportion test, SP 800-90B 4.4.2: it finds a value that comes far too often.

use crate::binomial::{at_least, critical};
use crate::{Alarm, Alpha, Test, word};

/// Samples in a window: the standard's number for samples of more than one bit.
const WINDOW: usize = 512;
/// The probability of one value if a byte has 8 bits of entropy.
const P: f64 = 1.0 / 256.0;

/// Counts how often the first byte of each window of 512 comes in that window.
#[derive(Debug, Clone)]
pub struct AdaptiveProportion {
    cutoff: usize,
    position: u64,
    reference: u8,
    count: usize,
    seen: usize,
}

impl AdaptiveProportion {
    /// Starts the test. The cut-off is the standard's `1 + CRITBINOM(512, 2^-8, 1 - alpha)`: 19 for 2^-40.
    pub fn new(alpha: Alpha) -> Self {
        let cutoff = 1 + critical(WINDOW as u32, P, alpha) as usize;
        Self { cutoff, position: 0, reference: 0, count: 0, seen: 0 }
    }

    /// Returns the lowest count in a window that is a failure.
    pub fn cutoff(&self) -> u64 {
        self.cutoff as u64
    }

    /// Returns the probability that a window of a good source fails. It is a little above alpha, 2^-37.6 instead of 2^-40: the
    /// standard's formula counts all 512 samples as chance, though the first always equals itself.
    pub fn false_alarm(&self) -> f64 {
        at_least(self.cutoff as u32 - 1, WINDOW as u32 - 1, P)
    }

    /// Takes all of `bytes`. Returns the first failure among them.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Alarm> {
        let mut first = None;
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.seen == 0 {
                self.reference = rest[0];
                self.count = 0;
            }
            let (part, after) = rest.split_at(rest.len().min(WINDOW - self.seen));
            let before = self.count;
            self.count += count(part, self.reference);
            if before < self.cutoff && self.count >= self.cutoff && first.is_none() {
                first = self.find(part, before);
            }
            self.position += part.len() as u64;
            self.seen = (self.seen + part.len()) % WINDOW;
            rest = after;
        }
        first
    }

    /// Returns the alarm for the byte of `part` at which the count reached the cut-off.
    fn find(&self, part: &[u8], before: usize) -> Option<Alarm> {
        let mut hits = (0..).zip(part).filter(|(_, byte)| **byte == self.reference);
        let (offset, _) = hits.nth(self.cutoff - before - 1)?;
        let (test, cutoff) = (Test::AdaptiveProportion, self.cutoff as u64);
        let suspect = self.seen as u64 + offset + 1;
        Some(Alarm { test, at_byte: self.position + offset, observed: cutoff, cutoff, suspect })
    }
}

/// Counts how often `value` comes in `bytes`.
fn count(bytes: &[u8], value: u8) -> usize {
    let by_bytes = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == value).count();
    let (words, rest) = bytes.as_chunks::<{ word::BYTES }>();
    let hits = words.iter().filter(|word| word::agree_somewhere(word, &[value; word::BYTES]));
    hits.map(|word| by_bytes(word)).sum::<usize>() + by_bytes(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::{assert_verdicts, streams};
    use proptest::prelude::*;

    #[test]
    fn its_cut_off_and_true_rate_are_known() {
        let test = AdaptiveProportion::new(Alpha::default());
        assert_eq!(test.cutoff(), 19);
        assert!((test.false_alarm().log2() + 37.6).abs() < 0.05, "2^{}", test.false_alarm().log2());
    }

    #[test]
    fn nineteen_in_one_window_fail_and_eighteen_pass() {
        let stream = |hits: usize, from: usize| -> Vec<u8> {
            let mut bytes: Vec<u8> = (0..1024).map(|at| if at % 2 == 0 { 1 } else { 2 + (at % 251) as u8 }).collect();
            bytes[0] = 0;
            bytes[512] = 1;
            for at in 0..hits {
                bytes[from + at * 3] = 0;
            }
            // The second window must pass: its own first byte is rare in it.
            for byte in &mut bytes[513..] {
                *byte = if *byte == 1 { 255 } else { *byte };
            }
            bytes
        };
        for piece in [1, 7, 512, 1024] {
            let run = |bytes: &[u8]| {
                let mut test = AdaptiveProportion::new(Alpha::default());
                bytes.chunks(piece).filter_map(|bytes| test.feed(bytes)).collect::<Vec<_>>()
            };
            let alarms = run(&stream(18, 3));
            assert_eq!(alarms.len(), 1, "{alarms:?}");
            assert_eq!((alarms[0].at_byte, alarms[0].observed, alarms[0].suspect), (3 + 17 * 3, 19, 55));
            assert_eq!(run(&stream(17, 3)), []);
            assert_eq!(run(&stream(18, 500)), [], "they lie in two windows");
        }
    }

    /// SP 800-90B 4.4.2 as it is worded: A is a window's first sample, B how often it came in the window, C the cut-off.
    fn plain(stream: &[u8], c: u64) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        for (window, samples) in (0..).zip(stream.chunks(512)) {
            let a = samples[0];
            let mut b = 1;
            for (i, x) in (1..).zip(&samples[1..]) {
                b += u64::from(*x == a);
                if b == c && *x == a {
                    let (test, at_byte) = (Test::AdaptiveProportion, 512 * window + i);
                    alarms.push(Alarm { test, at_byte, observed: b, cutoff: c, suspect: i + 1 });
                }
            }
        }
        alarms
    }

    proptest! {
        #[test]
        fn verdicts_are_those_of_the_plain_test((stream, sizes) in streams(8_000), bits in 20_u8..=60) {
            let mut test = AdaptiveProportion::new(Alpha::from_bits(bits).unwrap());
            assert_verdicts(&plain(&stream, test.cutoff()), (&stream, &sizes), |piece| test.feed(piece));
        }
    }
}
