//! Finds data that comes again: from a source that is stuck at a period, or from a recording that is played back.
//!
//! A hash of the last 64 bytes rolls along with the stream. It is a gear hash: each byte shifts it by one bit, so exactly 64 bytes
//! count. From time to time the test sets two marks to the current hash. A later hash that equals a mark shows a period. Each hash
//! whose top bits are 0, about one in 1,024, is an anchor and goes into a table. Only the bytes decide which hashes are anchors, so
//! a recording that is played back has the same anchors, wherever it begins.

use crate::{Alarm, Test};

/// Bytes that the hash covers.
const COVERED: u64 = 64;
/// Bytes from one setting of a mark to the next. A mark finds periods up to this length, the first one finds them sooner.
const MARKS: [u64; 2] = [512, 16_384];
/// One hash in 2^10 is an anchor.
const ANCHOR_BITS: u32 = 10;
/// The table holds 2^14 anchors: 32 KiB of memory for 16 MiB of the stream. Older anchors are overwritten by chance.
const SLOT_BITS: u32 = 14;
/// This many known anchors are a failure …
const MATCHES: u64 = 3;
/// … if at most this many anchors lie from one to the next.
const AMONG: u32 = 32;
/// Bytes that are hashed before a look at whether one of their hashes is suspicious.
const GROUP: usize = 8;

static GEAR: [u64; 256] = gear();

/// Returns numbers without a pattern (SplitMix64).
const fn gear() -> [u64; 256] {
    let mut table = [0; 256];
    let mut state: u64 = 0x656b_6579_6400;
    let mut at = 0;
    while at < 256 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[at] = word ^ (word >> 31);
        at += 1;
    }
    table
}

/// Looks for data that came before. False alarms on good data: a period with 2^-63 a byte (two comparisons of 64 bits), a replay
/// with less than 2^-47 (one byte in 1,024 is an anchor and equals the one in its slot by 16 bits, and so does one of the next
/// 32, and one of the 32 after that).
#[derive(Debug, Clone)]
pub struct Repeats {
    position: u64,
    hash: u64,
    marks: [Mark; 2],
    /// Whether a hash with this [`top`] may be an anchor or equal a mark.
    suspicious: [bool; 1 << ANCHOR_BITS],
    seen: Box<[u16]>,
    matches: u64,
    since_match: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    hash: u64,
    at: u64,
}

impl Repeats {
    /// Starts with an empty memory.
    pub fn new() -> Self {
        let seen = vec![0; 1 << SLOT_BITS].into_boxed_slice();
        let mut suspicious = [false; 1 << ANCHOR_BITS];
        suspicious[0] = true;
        Self { position: 0, hash: 0, marks: [Mark::default(); 2], suspicious, seen, matches: 0, since_match: 0 }
    }

    /// Takes all of `bytes`. Returns the first failure among them.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Alarm> {
        let mut first = None;
        let mut rest = bytes;
        while !rest.is_empty() {
            // Up to the next place where a mark may be set.
            let until_mark = (MARKS[0] - self.position % MARKS[0]) as usize;
            let (part, after) = rest.split_at(rest.len().min(until_mark));
            let alarm = self.roll(part);
            first = first.or(alarm);
            self.position += part.len() as u64;
            self.set_marks();
            rest = after;
        }
        first
    }

    /// Hashes bytes by groups, and looks closer only where a hash is suspicious.
    fn roll(&mut self, part: &[u8]) -> Option<Alarm> {
        let mut first = None;
        let mut hash = self.hash;
        let (groups, rest) = part.as_chunks::<GROUP>();
        for (at, group) in groups.iter().enumerate() {
            let before = hash;
            let mut suspicious = false;
            for byte in group {
                hash = next(hash, *byte);
                suspicious |= self.suspicious[top(hash)];
            }
            if suspicious {
                let alarm = self.follow(before, group, at * GROUP);
                first = first.or(alarm);
            }
        }
        self.hash = rest.iter().fold(hash, |hash, byte| next(hash, *byte));
        let alarm = self.follow(hash, rest, part.len() - rest.len());
        first.or(alarm)
    }

    /// Looks at the hash after each of these bytes, from the hash before them. They begin `offset` bytes after the position.
    fn follow(&mut self, mut hash: u64, bytes: &[u8], offset: usize) -> Option<Alarm> {
        let mut first = None;
        for (at_byte, byte) in (self.position + offset as u64..).zip(bytes) {
            hash = next(hash, *byte);
            if self.suspicious[top(hash)] {
                let alarm = self.look_at(hash, at_byte);
                first = first.or(alarm);
            }
        }
        first
    }

    #[cold]
    fn look_at(&mut self, hash: u64, at_byte: u64) -> Option<Alarm> {
        if at_byte < COVERED {
            return None;
        }
        if let Some(mark) = self.marks.iter().find(|mark| mark.hash == hash && mark.at > 0) {
            let period = at_byte - mark.at;
            let suspect = period + COVERED + MARKS[1];
            let (test, cutoff) = (Test::Period, MARKS[1]);
            return Some(Alarm { test, at_byte, observed: period, cutoff, suspect });
        }
        if top(hash) == 0 { self.note_anchor(hash, at_byte) } else { None }
    }

    fn note_anchor(&mut self, hash: u64, at_byte: u64) -> Option<Alarm> {
        let slot = (hash >> (64 - ANCHOR_BITS - SLOT_BITS)) as usize;
        // A slot with 0 is empty.
        let tag = ((hash >> 8) as u16).max(1);
        let known = std::mem::replace(&mut self.seen[slot], tag) == tag;
        self.since_match += 1;
        if self.since_match > AMONG {
            self.matches = 0;
        }
        if !known {
            return None;
        }
        self.matches += 1;
        self.since_match = 0;
        let suspect = (MATCHES * u64::from(AMONG)) << ANCHOR_BITS;
        let (test, observed, cutoff) = (Test::Replay, self.matches, MATCHES);
        (self.matches >= MATCHES).then_some(Alarm { test, at_byte, observed, cutoff, suspect })
    }

    fn set_marks(&mut self) {
        for (mark, every) in self.marks.iter_mut().zip(MARKS) {
            if self.position.is_multiple_of(every) {
                self.suspicious[top(mark.hash)] = false;
                *mark = Mark { hash: self.hash, at: self.position - 1 };
            }
        }
        // Last, since an old mark may share its top with anchors, or with the other mark.
        self.suspicious[0] = true;
        self.marks.iter().for_each(|mark| self.suspicious[top(mark.hash)] = true);
    }
}

impl Default for Repeats {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the hash after the next byte.
fn next(hash: u64, byte: u8) -> u64 {
    (hash << 1).wrapping_add(GEAR[usize::from(byte)])
}

/// Returns the bits of a hash that are all 0 in an anchor.
fn top(hash: u64) -> usize {
    (hash >> (64 - ANCHOR_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::{assert_verdicts, streams};
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Looks at each byte, with a hash that is computed anew from the 64 bytes that it covers.
    fn plain(stream: &[u8]) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        let mut marks = [None; 2];
        let (mut seen, mut matches, mut since_match) = (HashMap::new(), 0, 0);
        for (at_byte, at) in (0_u64..).zip(0..stream.len()) {
            let covered = stream[..=at].iter().rev().take(64).enumerate();
            let hash = covered.fold(0_u64, |hash, (age, byte)| hash.wrapping_add(GEAR[usize::from(*byte)] << age));
            let mark = marks.iter().flatten().find(|(mark, _)| *mark == hash && at >= 64);
            if let Some((_, mark_at)) = mark {
                let period = at_byte - mark_at;
                let (test, suspect) = (Test::Period, period + 64 + 16_384);
                alarms.push(Alarm { test, at_byte, observed: period, cutoff: 16_384, suspect });
            } else if hash < 1 << 54 && at >= 64 {
                let tag = u16::try_from(hash >> 8 & 0xffff).unwrap().max(1);
                let known = seen.insert(hash >> 40, tag) == Some(tag);
                since_match += 1;
                matches = if since_match > 32 { 0 } else { matches };
                if known {
                    matches += 1;
                    since_match = 0;
                    if matches >= 3 {
                        let (test, suspect) = (Test::Replay, 3 * 32 * 1024);
                        alarms.push(Alarm { test, at_byte, observed: matches, cutoff: 3, suspect });
                    }
                }
            }
            for (mark, every) in marks.iter_mut().zip([512, 16_384]) {
                if (at + 1) % every == 0 {
                    *mark = Some((hash, at_byte));
                }
            }
        }
        alarms
    }

    /// Returns a hash that is an anchor, each with a slot of its own.
    fn anchor(number: u64) -> u64 {
        number << (64 - ANCHOR_BITS - SLOT_BITS) | number << 8
    }

    #[test]
    fn hashes_before_byte_64_are_ignored() {
        for (at_byte, expected) in [(62, 0), (63, 0), (64, 5), (65, 5)] {
            let mut test = Repeats::new();
            test.look_at(anchor(5), at_byte);
            assert_eq!(test.seen[5], expected, "at byte {at_byte}");
        }
    }

    #[test]
    fn known_anchors_count_together_within_32() {
        for (unknown, expected) in [(31, true), (32, false)] {
            let mut test = Repeats::new();
            let mut fresh = 10..;
            let known = 1..=3;
            known.clone().for_each(|number| assert_eq!(test.note_anchor(anchor(number), 0), None));
            let mut alarms = known.map(|number| {
                fresh.by_ref().take(unknown).for_each(|number| assert_eq!(test.note_anchor(anchor(number), 0), None));
                test.note_anchor(anchor(number), 0)
            });
            assert_eq!([alarms.next(), alarms.next()], [Some(None); 2]);
            assert_eq!(alarms.next().flatten().is_some(), expected, "{unknown} unknown ones between them");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn verdicts_are_those_of_the_plain_test((stream, sizes) in streams(45_000)) {
            let mut test = Repeats::new();
            assert_verdicts(&plain(&stream), (&stream, &sizes), |piece| test.feed(piece));
        }
    }
}
