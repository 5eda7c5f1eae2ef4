//! Makes streams that pass, nearly fail or fail, for the tests of the tests, and cuts them into pieces.

use crate::Alarm;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What is wrong with a stream.
#[derive(Debug, Clone)]
enum Fault {
    None,
    /// One byte again and again.
    Constant(u8),
    /// The same bytes again and again.
    Period(usize),
    /// Each byte lacks some bits.
    Mask(u8),
    /// Each byte is one of a few in which long runs begin, end or go on.
    Edges,
    /// Here and there this many equal bits in a row, as in the long run test.
    RunsOfBits(usize),
    /// Here and there this many equal bytes in a row, as in the repetition count test.
    RunsOfBytes(usize),
    /// Each 512 bytes have their first one this often, as in the adaptive proportion test.
    Proportion(usize),
    /// This part of the beginning comes again.
    Replay(usize),
}

/// Returns streams of about this many bytes, each with the sizes of the pieces in which to feed it.
pub(crate) fn streams(bytes: usize) -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let fault = prop_oneof![
        Just(Fault::None),
        any::<u8>().prop_map(Fault::Constant),
        (1..600_usize).prop_map(Fault::Period),
        (600..20_000_usize).prop_map(Fault::Period),
        any::<u8>().prop_map(Fault::Mask),
        Just(Fault::Edges),
        (20..32_usize).prop_map(Fault::RunsOfBits),
        (2..14_usize).prop_map(Fault::RunsOfBytes),
        (10..24_usize).prop_map(Fault::Proportion),
        (4_000..30_000_usize).prop_map(Fault::Replay),
    ];
    let sizes = prop_oneof![
        Just(vec![1]),
        Just(vec![32]),
        Just(vec![2048]),
        prop::collection::vec(0..40_usize, 1..9).prop_map(|sizes| [sizes, vec![1]].concat()),
        prop::collection::vec(0..9_000_usize, 1..9).prop_map(|sizes| [sizes, vec![1]].concat()),
    ];
    (any::<u64>(), bytes / 2..=bytes, fault, sizes)
        .prop_map(|(seed, bytes, fault, sizes)| (stream(seed, bytes, &fault), sizes))
}

/// Cuts a stream into pieces of these sizes, over and over.
pub(crate) fn pieces<'a>(stream: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    let mut rest = stream;
    std::iter::from_fn(move || {
        let size = sizes.next().filter(|_| !rest.is_empty())?;
        let piece;
        (piece, rest) = rest.split_at((*size).min(rest.len()));
        Some(piece)
    })
}

/// Asserts that a test, fed piece by piece, returns for each piece the first of these alarms that lies in it.
pub(crate) fn assert_verdicts(
    alarms: &[Alarm],
    (stream, sizes): (&[u8], &[usize]),
    mut feed: impl FnMut(&[u8]) -> Option<Alarm>,
) {
    let mut end = 0;
    for piece in pieces(stream, sizes) {
        let begin = end;
        end += piece.len() as u64;
        let first = alarms.iter().find(|alarm| (begin..end).contains(&alarm.at_byte)).copied();
        assert_eq!(feed(piece), first, "in bytes {begin} to {end}");
    }
}

fn stream(seed: u64, bytes: usize, fault: &Fault) -> Vec<u8> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut stream = vec![0; bytes];
    rng.fill_bytes(&mut stream);
    let mut below = |limit: usize| rng.next_u32() as usize % limit;
    match *fault {
        Fault::None => {}
        Fault::Constant(byte) => stream.fill(byte),
        Fault::Period(length) => (length..bytes).for_each(|at| stream[at] = stream[at - length]),
        Fault::Mask(mask) => stream.iter_mut().for_each(|byte| *byte &= mask),
        Fault::Edges => {
            let edges = [0x00, 0xff, 0x00, 0xff, 0x07, 0xf8, 0x1f, 0x7f];
            stream.iter_mut().for_each(|byte| *byte = edges[usize::from(*byte & 7)]);
        }
        Fault::RunsOfBits(length) => {
            for _ in 0..bytes / 300 {
                let (first, ones) = (below(bytes * 8 - length), below(2) == 1);
                for bit in first..first + length {
                    let mask = 0x80 >> (bit % 8);
                    stream[bit / 8] = if ones { stream[bit / 8] | mask } else { stream[bit / 8] & !mask };
                }
            }
        }
        Fault::RunsOfBytes(length) => {
            for _ in 0..bytes / 200 {
                let first = below(bytes - length);
                let byte = stream[first];
                stream[first..first + length].fill(byte);
            }
        }
        Fault::Proportion(times) => {
            for window in stream.chunks_mut(512) {
                for _ in 1..times {
                    window[below(window.len())] = window[0];
                }
            }
        }
        Fault::Replay(length) => {
            let length = length.min(bytes / 2);
            let to = length + below(bytes - 2 * length + 1);
            stream.copy_within(..length, to);
        }
    }
    stream
}
