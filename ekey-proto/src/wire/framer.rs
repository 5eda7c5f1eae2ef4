//! Cuts a stream of bytes into frames.
//!
//! The stream may begin in the middle of a frame and may hold garbage between frames. The framer skips and counts
//! garbage, and loses no whole frame behind it: a whole frame has `"* "` only at its start and CR LF only at its end,
//! so a window of 64 bytes that only overlaps it never looks like a frame.

use core::ops::AddAssign;

use super::frame::{FRAME_LEN, Frame, START};

/// Cuts a stream into [`Frame`]s, in whatever pieces it arrives. Holds at most 64 bytes.
#[derive(Debug, Clone)]
pub struct Framer {
    window: [u8; FRAME_LEN],
    filled: usize,
    in_garbage: bool,
    counters: FramerCounters,
}

/// Counts what a framer has seen since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FramerCounters {
    /// Well-formed frames found.
    pub frames: u64,
    /// Runs of bytes that did not make a frame.
    pub framing_errors: u64,
    /// Bytes in those runs.
    pub skipped_bytes: u64,
}

impl AddAssign for FramerCounters {
    /// Adds the counts of another stream.
    fn add_assign(&mut self, other: Self) {
        let Self { frames, framing_errors, skipped_bytes } = other;
        self.frames += frames;
        self.framing_errors += framing_errors;
        self.skipped_bytes += skipped_bytes;
    }
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// Makes a framer for the beginning of a stream.
    #[must_use]
    pub const fn new() -> Self {
        let counters = FramerCounters { frames: 0, framing_errors: 0, skipped_bytes: 0 };
        Self { window: [0; FRAME_LEN], filled: 0, in_garbage: false, counters }
    }

    /// Takes bytes off the front of `input` until a frame is complete. Returns `None` once `input` is empty.
    pub fn next_frame(&mut self, input: &mut &[u8]) -> Option<Frame> {
        while !input.is_empty() {
            // The usual case: the next frame is whole and needs no copy.
            if self.filled == 0
                && let Some((bytes, rest)) = input.split_first_chunk()
                && let Some(frame) = Frame::from_bytes(bytes)
            {
                *input = rest;
                return Some(self.found(frame));
            }
            let (taken, rest) = input.split_at(input.len().min(FRAME_LEN - self.filled));
            self.window[self.filled..self.filled + taken.len()].copy_from_slice(taken);
            self.filled += taken.len();
            *input = rest;
            if let Some(frame) = self.settle() {
                return Some(frame);
            }
        }
        None
    }

    /// Returns the counts since the framer was made.
    #[must_use]
    pub const fn counters(&self) -> FramerCounters {
        self.counters
    }

    /// Returns the frame that fills the window; else moves the next possible start of a frame to the front.
    fn settle(&mut self) -> Option<Frame> {
        let mut skip_from = 0;
        if self.filled == FRAME_LEN {
            if let Some(frame) = Frame::from_bytes(&self.window) {
                self.filled = 0;
                return Some(self.found(frame));
            }
            skip_from = 1;
        }
        let seen = &self.window[..self.filled];
        let start = (skip_from..seen.len()).find(|&at| may_start_frame(&seen[at..])).unwrap_or(seen.len());
        if start > 0 {
            self.skip(start);
        }
        None
    }

    fn found(&mut self, frame: Frame) -> Frame {
        self.in_garbage = false;
        self.counters.frames += 1;
        frame
    }

    fn skip(&mut self, count: usize) {
        self.window.copy_within(count..self.filled, 0);
        self.filled -= count;
        self.counters.skipped_bytes += count as u64;
        if !self.in_garbage {
            self.in_garbage = true;
            self.counters.framing_errors += 1;
        }
    }
}

fn may_start_frame(bytes: &[u8]) -> bool {
    match bytes {
        [only] => *only == START[0],
        [first, second, ..] => [*first, *second] == START,
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn frame(fill: u8) -> [u8; FRAME_LEN] {
        Frame::new([fill; 52], [fill; 8]).to_bytes()
    }

    fn frames(framer: &mut Framer, mut input: &[u8]) -> Vec<[u8; FRAME_LEN]> {
        core::iter::from_fn(|| framer.next_frame(&mut input)).map(|frame| frame.to_bytes()).collect()
    }

    #[test]
    fn a_stream_cut_into_a_frame_yields_the_later_ones() {
        let mut framer = Framer::new();
        let stream = [&frame(b'a')[17..], &frame(b'b'), &frame(b'c')].concat();
        assert_eq!(frames(&mut framer, &stream), [frame(b'b'), frame(b'c')]);
        assert_eq!(framer.counters(), FramerCounters { frames: 2, framing_errors: 1, skipped_bytes: 47 });
    }

    #[test]
    fn a_truncated_frame_costs_only_itself() {
        for kept in 1..FRAME_LEN {
            let mut framer = Framer::new();
            let stream = [&frame(b'a')[..kept], &frame(b'b'), &frame(b'c')].concat();
            assert_eq!(frames(&mut framer, &stream), [frame(b'b'), frame(b'c')], "cut after {kept} bytes");
            assert_eq!(framer.counters().framing_errors, 1);
            assert_eq!(framer.counters().skipped_bytes, kept as u64);
        }
    }

    #[test]
    fn garbage_like_a_start_does_not_hide_the_next_frame() {
        for garbage in [&b"* "[..], b"*", b"***", b"* * ", b"\r\n* ", b"* \r\n"] {
            let mut framer = Framer::new();
            let stream = [garbage, &frame(b'b')].concat();
            assert_eq!(frames(&mut framer, &stream), [frame(b'b')], "after {garbage:?}");
        }
    }

    #[test]
    fn single_bytes_make_a_frame_and_garbage_is_counted() {
        let mut framer = Framer::new();
        let found: Vec<_> = frame(b'a').chunks(1).flat_map(|byte| frames(&mut framer, byte)).collect();
        assert_eq!(found, [frame(b'a')]);
        assert_eq!(framer.counters(), FramerCounters { frames: 1, framing_errors: 0, skipped_bytes: 0 });
        frames(&mut framer, b"no*frame*");
        let seen = framer.counters();
        assert_eq!(seen, FramerCounters { frames: 1, framing_errors: 1, skipped_bytes: 8 }, "all but the last byte");

        let mut both = seen;
        both += FramerCounters { frames: 10, framing_errors: 20, skipped_bytes: 30 };
        assert_eq!(both, FramerCounters { frames: 11, framing_errors: 21, skipped_bytes: 38 });
    }

    proptest::proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "too many frames for an interpreter")]
        fn any_split_of_any_stream_yields_the_same_frames(
            pieces in proptest::collection::vec(proptest::prop_oneof![
                proptest::collection::vec(proptest::prelude::any::<u8>(), 0..100),
                proptest::prelude::any::<u8>().prop_map(|fill| frame(fill & 0x7f | 0x40).to_vec()),
            ], 0..8),
            cuts in proptest::collection::vec(1_usize..90, 1..40),
        ) {
            let stream = pieces.concat();
            let whole = frames(&mut Framer::new(), &stream);
            let mut framer = Framer::new();
            let (mut rest, mut split) = (&stream[..], Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, behind) = rest.split_at(rest.len().min(*cut));
                split.extend(frames(&mut framer, piece));
                rest = behind;
            }
            proptest::prop_assert_eq!(whole, split);
        }

        #[test]
        #[cfg_attr(miri, ignore = "too many frames for an interpreter")]
        fn a_frame_behind_any_garbage_is_found(garbage in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let stream = [&garbage[..], &frame(b'x')].concat();
            let found = frames(&mut Framer::new(), &stream);
            proptest::prop_assert_eq!(found.last(), Some(&frame(b'x')));
        }
    }
    use proptest::strategy::Strategy as _;
}
