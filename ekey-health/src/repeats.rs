//! The same again: a source that is stuck at a period, or a recording that is played back.
//!
//! A hash of the last 64 bytes rolls along with the stream (a gear hash: shifted by one bit a byte, so that exactly 64 bytes
//! count). Two marks are set in it now and then, and a hash that equals a mark gives away a period. Besides, every hash that
//! ends in a certain way, about one in 1,024, is an anchor and goes into a table; since the choice depends on nothing but the
//! bytes, a recording that is played back has the same anchors, however its length and its beginning are shifted.

use crate::{Alarm, Test};

/// Bytes that the hash covers.
const COVERED: u64 = 64;
/// How often a mark is set; a period longer than that escapes it. The second finds short periods sooner.
const MARKS: [u64; 2] = [512, 16_384];
/// One hash in 2^10 is an anchor.
const ANCHOR_BITS: u32 = 10;
/// 2^14 anchors are remembered: 32 KiB of memory for 16 MiB of the stream, more faintly the further back.
const SLOT_BITS: u32 = 14;
/// So many anchors that were seen before are a failure …
const MATCHES: u64 = 3;
/// … if from one to the next there are no more than so many.
const AMONG: u32 = 32;

static GEAR: [u64; 256] = gear();

/// Numbers without a pattern (SplitMix64).
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

/// Looks for what has come before. False alarms on good data: a period with 2^-63 a byte (two comparisons of 64 bits), a replay
/// with less than 2^-47 (an anchor, one byte in 1,024, equals the one in its slot by 16 bits, and so does one of the 32 that
/// follow, and one of 32 after that).
#[derive(Debug, Clone)]
pub struct Repeats {
    position: u64,
    hash: u64,
    marks: [Mark; 2],
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
    /// Remembers nothing yet.
    pub fn new() -> Self {
        let seen = vec![0; 1 << SLOT_BITS].into_boxed_slice();
        Self { position: 0, hash: 0, marks: [Mark::default(); 2], seen, matches: 0, since_match: 0 }
    }

    /// Takes all of `bytes`, and gives the first failure among them.
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

    fn roll(&mut self, part: &[u8]) -> Option<Alarm> {
        let mut first = None;
        let mut hash = self.hash;
        let marks = self.marks.map(|mark| mark.hash);
        for (offset, byte) in (0..).zip(part) {
            hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
            if hash >> (64 - ANCHOR_BITS) == 0 || hash == marks[0] || hash == marks[1] {
                let alarm = self.look_at(hash, self.position + offset);
                first = first.or(alarm);
            }
        }
        self.hash = hash;
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
        if hash >> (64 - ANCHOR_BITS) == 0 { self.note_anchor(hash, at_byte) } else { None }
    }

    fn note_anchor(&mut self, hash: u64, at_byte: u64) -> Option<Alarm> {
        let slot = (hash >> (64 - ANCHOR_BITS - SLOT_BITS)) as usize;
        // 0 is an empty slot.
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
                *mark = Mark { hash: self.hash, at: self.position - 1 };
            }
        }
    }
}

impl Default for Repeats {
    fn default() -> Self {
        Self::new()
    }
}
