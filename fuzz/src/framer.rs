//! From bytes to frames: a stream has the same frames in any pieces.

use ekey_proto::wire::{FRAME_LEN, Frame, Framer, FramerCounters};

use crate::choices::Choices;

/// Longest stream, in bytes. A mistake of a framer shows within two frames.
const LONGEST: usize = 600;

/// Runs a stream of frames, pieces of frames and anything else, cut in three ways.
pub fn framer(data: &[u8]) {
    let mut choices = Choices::new(data);
    let cut = 1 + choices.below(200);
    let stream = stream(&mut choices);
    let expected = plain_search(&stream);
    let (whole, counters) = frames(&stream, stream.len().max(1));
    assert_eq!(whole, expected, "not the frames that are in the stream");
    for size in [1, cut] {
        assert_eq!(frames(&stream, size), (whole.clone(), counters), "cut into pieces of {size}");
    }
    assert_eq!(counters.frames, expected.len() as u64);
    let used = counters.skipped_bytes + FRAME_LEN as u64 * counters.frames;
    let held = stream.len() as u64 - used;
    assert!(held < FRAME_LEN as u64, "{held} bytes of the stream are held back");
    assert!(counters.framing_errors <= counters.skipped_bytes, "{counters:?}");

    // A whole frame comes out, whatever comes before it.
    let last = Frame::new([b'x'; 52], [b'y'; 8]).to_bytes();
    let (found, _) = frames(&[&stream, &last[..]].concat(), cut);
    assert_eq!(found.last(), Some(&last), "the frame behind the stream is lost");
}

fn stream(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    while !choices.is_empty() && stream.len() < LONGEST {
        match choices.below(6) {
            0 => {
                let fill = choices.byte() & 0x3f | 0x40;
                stream.extend(Frame::new([fill; 52], [b'+'; 8]).to_bytes());
            }
            1 => {
                let fill = choices.byte() & 0x3f | 0x40;
                let kept = choices.below(FRAME_LEN);
                stream.extend(&Frame::new([fill; 52], [b'='; 8]).to_bytes()[..kept]);
            }
            2 => {
                // No key sends this: starts and ends of frames within a frame.
                let (mut content, mut mac) = ([b' '; 52], [b'*'; 8]);
                content.iter_mut().zip(choices.some(52)).for_each(|(slot, byte)| *slot = *byte);
                mac.iter_mut().zip(choices.some(8)).for_each(|(slot, byte)| *slot = *byte);
                stream.extend(Frame::new(content, mac).to_bytes());
            }
            3 => stream.extend(b"* "),
            4 => stream.extend(b"\r\n"),
            _ => stream.extend(choices.some(130)),
        }
    }
    stream
}

/// Finds the frames of a stream in the plainest way: at each place in turn.
fn plain_search(stream: &[u8]) -> Vec<[u8; FRAME_LEN]> {
    let (mut at, mut frames) = (0, Vec::new());
    while let Some(window) = stream.get(at..).and_then(|rest| rest.first_chunk::<FRAME_LEN>()) {
        let is_frame = window.starts_with(b"* ") && window.ends_with(b"\r\n");
        if is_frame {
            frames.push(*window);
        }
        at += if is_frame { FRAME_LEN } else { 1 };
    }
    frames
}

fn frames(stream: &[u8], size: usize) -> (Vec<[u8; FRAME_LEN]>, FramerCounters) {
    let (mut framer, mut found) = (Framer::new(), Vec::new());
    for mut piece in stream.chunks(size) {
        while let Some(frame) = framer.next_frame(&mut piece) {
            found.push(frame.to_bytes());
        }
        assert!(piece.is_empty(), "input is left over although no frame came");
    }
    (found, framer.counters())
}
