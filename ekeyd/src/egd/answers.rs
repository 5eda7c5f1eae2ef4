//! What a client is still to be sent: entropy, and what goes with it. The two are told apart for the books.

use std::collections::VecDeque;

use zeroize::Zeroize as _;

use crate::pool::Pool;

/// The bytes, in order; wiped when they have been sent or are dropped.
#[derive(Debug, Default)]
pub(super) struct Answers {
    bytes: Vec<u8>,
    /// How many bytes were sent before these.
    sent: u64,
    /// Where bytes are that are no entropy: position since the beginning, and how many.
    plain: VecDeque<(u64, u64)>,
}

impl Answers {
    /// Those that are to be sent next.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts bytes at the end that are no entropy.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.plain.push_back((self.end(), bytes.len() as u64));
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves up to `count` of the pool's freshest bytes to the end, and returns how many.
    pub(super) fn take(&mut self, count: usize, pool: &mut Pool) -> usize {
        pool.take_freshest(count, &mut self.bytes)
    }

    /// The first `count` bytes have been sent. Returns how many of them are entropy.
    pub(super) fn note_sent(&mut self, count: usize) -> u64 {
        self.bytes[..count].zeroize();
        self.bytes.drain(..count);
        let (from, to) = (self.sent, self.sent + count as u64);
        self.sent = to;
        let plain: u64 = self.plain.iter().map(|(at, len)| (at + len).min(to).saturating_sub((*at).max(from))).sum();
        while self.plain.front().is_some_and(|(at, len)| at + len <= to) {
            self.plain.pop_front();
        }
        to - from - plain
    }

    /// How many bytes of entropy are still to be sent.
    pub(super) fn entropy(&self) -> u64 {
        let plain: u64 = self.plain.iter().map(|(at, len)| at + len - (*at).max(self.sent)).sum();
        self.bytes.len() as u64 - plain
    }

    fn end(&self) -> u64 {
        self.sent + self.bytes.len() as u64
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn entropy_is_told_from_the_rest_however_it_is_sent() {
        for piece in 1..20 {
            let mut pool = Pool::new(64);
            pool.put(Zeroizing::new(vec![7; 64]));
            let mut answers = Answers::default();
            let mut sent = 0;
            for round in 0..4 {
                answers.push(&[5; 4]);
                assert_eq!(answers.take(10, &mut pool), 10);
                answers.push(&[1]);
                assert_eq!(answers.take(5, &mut pool), 5);
                let due = 15 * (round + 1);
                assert_eq!(sent + answers.entropy(), due);
                sent += answers.note_sent(piece);
                assert_eq!(sent + answers.entropy(), due, "in pieces of {piece}");
            }
            sent += answers.note_sent(answers.bytes().len());
            assert_eq!((sent, answers.entropy(), answers.plain.len()), (60, 0, 0), "in pieces of {piece}");
        }
    }
}
