//! Any kernel and the software key, by USB/IP: input means the same in any pieces; each transfer gets one answer, with
//! at most the bytes that it asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use ekey_sim::UsbBus;

use crate::bus::{device, serve};
use crate::choices::Choices;

const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const RETURN_SUBMIT: u32 = 3;
const RETURN_UNLINK: u32 = 4;
const HEADER: usize = 48;
const CONFIGURE: [u8; 8] = [0, 9, 1, 0, 0, 0, 0, 0];
/// Control requests that mean something to a key.
const REQUESTS: [[u8; 8]; 9] = [
    [0x80, 6, 0, 1, 0, 0, 64, 0],
    CONFIGURE,
    [0, 9, 0, 0, 0, 0, 0, 0],
    [0x80, 6, 0, 2, 0, 0, 255, 0],
    [0x80, 6, 1, 3, 9, 4, 255, 0],
    [0x02, 1, 0, 0, 0x81, 0, 0, 0],
    [0x02, 3, 0, 0, 0x81, 0, 0, 0],
    [0x21, 0x20, 0, 0, 0, 0, 7, 0],
    [0x21, 0x22, 3, 0, 0, 0, 0, 0],
];

/// What the kernel waits for, by number: an unlink (`None`), or a transfer and the longest answer to it.
type Waiting = BTreeMap<u32, Option<usize>>;

/// Runs any kernel.
pub fn usbip(data: &[u8]) {
    let mut choices = Choices::new(data);
    let cut = 1 + choices.below(100);
    let (mut whole, mut pieces) = (plugged_in(), plugged_in());
    let (mut now, mut waiting) = (Duration::ZERO, Waiting::new());
    let mut number = 0;
    if choices.below(4) > 0 {
        // Random bytes would hardly ever configure the key.
        let message = submit(&mut waiting, &mut number, 0, 0, 0, CONFIGURE, &[]);
        assert!(whole.receive(now, &message).is_ok() && pieces.receive(now, &message).is_ok());
    }
    while !choices.is_empty() {
        let mut valid = true;
        let message = match choices.below(8) {
            0 => {
                let request = REQUESTS[choices.below(REQUESTS.len())];
                let to_key = choices.bytes(if request[0] & 0x80 == 0 { request[6].into() } else { 0 });
                let room = if request[0] & 0x80 == 0 { to_key.len() } else { usize::from(choices.byte()) };
                submit(&mut waiting, &mut number, u32::from(request[0] >> 7), 0, room, request, to_key)
            }
            1 => {
                let mut request = [0; 8];
                request.iter_mut().zip(choices.bytes(8)).for_each(|(slot, byte)| *slot = *byte);
                let room = if request[0] & 0x80 == 0 { 0 } else { usize::from(choices.word()) };
                submit(&mut waiting, &mut number, u32::from(request[0] >> 7), 0, room, request, &[])
            }
            2 | 3 => {
                let room = [64, 512, 4096, choices.below(256)][choices.below(4)];
                submit(&mut waiting, &mut number, 1, [1, 1, 2, 7][choices.below(4)], room, [0; 8], &[])
            }
            4 => {
                let bytes = [&b"\x03"[..], b"KAQIDBAUG.", choices.some(100)][choices.below(3)];
                submit(&mut waiting, &mut number, 0, 3, bytes.len(), [0; 8], bytes)
            }
            5 => {
                number += 1;
                waiting.insert(number, None);
                let wanted = number.saturating_sub(u32::from(choices.byte()) % 16);
                words(&[UNLINK, number, 0, 0, 0, wanted, 0, 0, 0, 0, 0, 0])
            }
            6 => {
                now += Duration::from_millis(u64::from(choices.byte()) * 8);
                Vec::new()
            }
            _ => {
                valid = choices.below(16) > 0;
                if valid { Vec::new() } else { choices.some(200).to_vec() }
            }
        };
        let outcome = whole.receive(now, &message);
        let cut = message.chunks(cut).try_for_each(|piece| pieces.receive(now, piece));
        assert_eq!(outcome, cut, "pieces mean something else");
        let said = serve(&mut whole, now);
        assert_eq!(said, serve(&mut pieces, now), "pieces get another answer");
        assert!(valid || said.len() < 1_000_000, "{} bytes of answers", said.len());
        if outcome.is_err() || !valid {
            assert!(!valid, "refused: {outcome:?}");
            return;
        }
        check(&said, &mut waiting);
    }
}

/// Returns a key that is plugged in.
fn plugged_in() -> UsbBus {
    let mut bus = UsbBus::usbip(device());
    bus.set_plugged(Duration::ZERO, true);
    bus
}

fn submit(
    waiting: &mut Waiting,
    number: &mut u32,
    is_in: u32,
    endpoint: u32,
    room: usize,
    request: [u8; 8],
    data: &[u8],
) -> Vec<u8> {
    *number += 1;
    waiting.insert(*number, Some(if is_in == 1 { room } else { 0 }));
    let mut message = words(&[SUBMIT, *number, 0, is_in, endpoint, 0, room as u32, 0, 0, 0]);
    message.extend(request);
    message.extend(data);
    message
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Checks the answers against what the kernel waits for.
fn check(mut said: &[u8], waiting: &mut Waiting) {
    while !said.is_empty() {
        let (header, rest) = said.split_at_checked(HEADER).expect("an answer is whole");
        let word = |at: usize| u32::from_be_bytes(*header[at..].first_chunk().expect("four bytes"));
        let (kind, number, status, length) = (word(0), word(4), word(20), word(24) as usize);
        let expected = waiting.remove(&number).unwrap_or_else(|| panic!("{number} is answered without a request"));
        match (kind, expected) {
            (RETURN_UNLINK, None) => said = rest,
            (RETURN_SUBMIT, Some(0)) => said = rest,
            (RETURN_SUBMIT, Some(room)) => {
                assert!(length <= room, "{length} bytes where there is room for {room}, status {status:#x}");
                said = &rest[length..];
            }
            (kind, expected) => panic!("an answer of kind {kind} to {expected:?}"),
        }
    }
}
