//! Runs the repetition count test, SP 800-90B 4.4.1: it finds a source that is stuck.

use crate::{Alarm, Alpha, Test, word};

/// Counts how often the same byte comes in a row.
#[derive(Debug, Clone)]
pub struct RepetitionCount {
    cutoff: u64,
    position: u64,
    last: u8,
    run: u64,
}

impl RepetitionCount {
    /// Starts the test. The cut-off is `1 + ceil(-log2(alpha) / 8)`, since a good source has 8 bits of entropy a byte: 6 for
    /// 2^-40. A good source fails with a probability of at most alpha at each byte.
    pub fn new(alpha: Alpha) -> Self {
        Self { cutoff: 1 + u64::from(alpha.bits()).div_ceil(8), position: 0, last: 0, run: 0 }
    }

    /// Returns how many equal bytes in a row are a failure.
    pub fn cutoff(&self) -> u64 {
        self.cutoff
    }

    /// Takes all of `bytes`. Returns the first failure among them. A run that goes on fails again after as many bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Alarm> {
        let (head, others) = bytes.split_at_checked(1)?;
        let mut first = self.follow(head);
        let (words, tail) = others.as_chunks::<{ word::BYTES }>();
        // The bytes that come one earlier than those. In most words, no byte equals the one before it.
        let (before, _) = bytes.as_chunks::<{ word::BYTES }>();
        let mut taken = 0;
        for (at, (word, before)) in words.iter().zip(before).enumerate() {
            if word::agree_somewhere(word, before) {
                self.skip(&words[taken..at]);
                let alarm = self.follow(word);
                first = first.or(alarm);
                taken = at + 1;
            }
        }
        self.skip(&words[taken..]);
        let alarm = self.follow(tail);
        first.or(alarm)
    }

    /// Takes words in which no byte equals the one before it.
    fn skip(&mut self, words: &[[u8; word::BYTES]]) {
        if let [.., last] = words.as_flattened() {
            (self.last, self.run) = (*last, 1);
            self.position += words.as_flattened().len() as u64;
        }
    }

    /// The test as 4.4.1 words it, sample by sample.
    fn follow(&mut self, bytes: &[u8]) -> Option<Alarm> {
        let Self { cutoff, position, mut last, mut run } = *self;
        let mut first = None;
        for (at_byte, byte) in (position..).zip(bytes) {
            run = if *byte == last { run + 1 } else { 1 };
            last = *byte;
            // The first comparison spares most bytes the division.
            if run >= cutoff && run.is_multiple_of(cutoff) {
                let alarm = Alarm { test: Test::RepetitionCount, at_byte, observed: run, cutoff, suspect: run };
                first.get_or_insert(alarm);
            }
        }
        *self = Self { cutoff, position: position + bytes.len() as u64, last, run };
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::{assert_verdicts, streams};
    use proptest::prelude::*;

    #[test]
    fn the_cut_off_for_eight_bits_a_byte_is_six() {
        for (bits, expected) in [(20, 4), (30, 5), (40, 6), (41, 7), (60, 9)] {
            assert_eq!(RepetitionCount::new(Alpha::from_bits(bits).unwrap()).cutoff(), expected, "alpha = 2^-{bits}");
        }
    }

    #[test]
    fn six_in_a_row_fail_however_the_stream_is_cut() {
        let stream = [1, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 3, 3, 3, 4];
        for piece in 1..=stream.len() {
            let mut test = RepetitionCount::new(Alpha::default());
            let alarms: Vec<Alarm> = stream.chunks(piece).filter_map(|bytes| test.feed(bytes)).collect();
            let expected = Alarm { test: Test::RepetitionCount, at_byte: 13, observed: 6, cutoff: 6, suspect: 6 };
            assert_eq!(alarms, [expected], "in pieces of {piece}");
        }
    }

    #[test]
    fn zeros_count_from_the_very_first_byte() {
        let mut test = RepetitionCount::new(Alpha::default());
        assert_eq!(test.feed(&[0; 5]), None);
        assert_eq!(test.feed(&[0]).map(|alarm| alarm.at_byte), Some(5));
    }

    /// SP 800-90B 4.4.1 as it is worded: A is the sample, B how often it came in a row, C the cut-off.
    fn plain(stream: &[u8], c: u64) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        let (mut a, mut b) = (stream[0], 1);
        for (at_byte, x) in (1..).zip(&stream[1..]) {
            if *x == a {
                b += 1;
                // The standard stops at C; a stream that goes on fails again after as many.
                if b % c == 0 {
                    alarms.push(Alarm { test: Test::RepetitionCount, at_byte, observed: b, cutoff: c, suspect: b });
                }
            } else {
                (a, b) = (*x, 1);
            }
        }
        alarms
    }

    proptest! {
        #[test]
        fn verdicts_are_those_of_the_plain_test((stream, sizes) in streams(4_000), bits in 20_u8..=60) {
            let mut test = RepetitionCount::new(Alpha::from_bits(bits).unwrap());
            assert_verdicts(&plain(&stream, test.cutoff()), (&stream, &sizes), |piece| test.feed(piece));
        }
    }
}
