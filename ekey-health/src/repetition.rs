//! The repetition count test, SP 800-90B 4.4.1: a source that is stuck.

use crate::{Alarm, Alpha, Test};

/// Counts how often the same byte comes in a row.
#[derive(Debug, Clone)]
pub struct RepetitionCount {
    cutoff: u64,
    position: u64,
    last: u8,
    run: u64,
}

impl RepetitionCount {
    /// The cut-off is `1 + ceil(-log2(alpha) / 8)`, since a good source has 8 bits of entropy a byte: 6 for 2^-40. A good
    /// source fails with a probability of at most alpha at each byte.
    pub fn new(alpha: Alpha) -> Self {
        Self { cutoff: 1 + u64::from(alpha.bits()).div_ceil(8), position: 0, last: 0, run: 0 }
    }

    /// How many in a row are a failure.
    pub fn cutoff(&self) -> u64 {
        self.cutoff
    }

    /// Takes all of `bytes`, and gives the first failure among them. A run that goes on fails again after as many bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Alarm> {
        let mut first = None;
        for (offset, byte) in (0..).zip(bytes) {
            if *byte != self.last {
                self.last = *byte;
                self.run = 1;
                continue;
            }
            self.run += 1;
            if self.run.is_multiple_of(self.cutoff) && first.is_none() {
                first = Some(self.alarm(self.position + offset));
            }
        }
        self.position += bytes.len() as u64;
        first
    }

    fn alarm(&self, at_byte: u64) -> Alarm {
        let test = Test::RepetitionCount;
        Alarm { test, at_byte, observed: self.run, cutoff: self.cutoff, suspect: self.run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_off_for_eight_bits_a_byte_is_six() {
        for (bits, due) in [(20, 4), (30, 5), (40, 6), (41, 7), (60, 9)] {
            assert_eq!(RepetitionCount::new(Alpha::from_bits(bits).unwrap()).cutoff(), due, "alpha = 2^-{bits}");
        }
    }

    #[test]
    fn the_sixth_of_a_kind_is_a_failure_and_the_fifth_is_none_however_the_stream_is_cut() {
        let stream = [1, 0, 0, 0, 0, 0, 2, 2, 3, 3, 3, 3, 3, 3, 4];
        for piece in 1..=stream.len() {
            let mut test = RepetitionCount::new(Alpha::default());
            let alarms: Vec<Alarm> = stream.chunks(piece).filter_map(|bytes| test.feed(bytes)).collect();
            let due = Alarm { test: Test::RepetitionCount, at_byte: 13, observed: 6, cutoff: 6, suspect: 6 };
            assert_eq!(alarms, [due], "in pieces of {piece}");
        }
    }

    #[test]
    fn zeros_from_the_very_first_byte_on_are_counted_from_it() {
        let mut test = RepetitionCount::new(Alpha::default());
        assert_eq!(test.feed(&[0; 5]), None);
        assert_eq!(test.feed(&[0]).map(|alarm| alarm.at_byte), Some(5));
    }
}
