//! Any QEMU and the software key, by usbredir: input means the same in any pieces; each message from the key is whole
//! and of a known kind; each bulk transfer gets one answer, with at most the bytes that it asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use ekey_sim::{UsbBus, Violation};

use crate::bus::{device, serve};
use crate::choices::Choices;

const HELLO: u32 = 0;
const CONTROL: u32 = 100;
const BULK: u32 = 101;
/// The kinds that a key may send (usb-redirection-protocol.md).
const KINDS: [u32; 12] = [HELLO, 1, 2, 4, 5, 8, 11, 14, 17, CONTROL, BULK, 103];
/// Kinds with a short body or none, and its length.
const SHORT: [(u32, usize); 14] = [
    (3, 0),
    (6, 1),
    (7, 0),
    (9, 2),
    (10, 1),
    (12, 3),
    (13, 1),
    (15, 1),
    (16, 1),
    (21, 0),
    (22, 0),
    (23, 20),
    (24, 0),
    (103, 4),
];

/// QEMU, and two keys that get the same bytes, one of them in pieces.
struct Qemu {
    whole: UsbBus,
    pieces: UsbBus,
    cut: usize,
    now: Duration,
    /// Message numbers have eight bytes; lengths of bulk transfers have four.
    long_numbers: bool,
    long_bulk: bool,
    greeted: bool,
    number: u64,
    /// Bulk transfers without an answer, and the longest answer of each.
    bulk: BTreeMap<u64, usize>,
}

/// Runs any host.
pub fn usbredir(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut qemu = Qemu {
        whole: plugged_in(),
        pieces: plugged_in(),
        cut: 1 + choices.below(100),
        now: Duration::ZERO,
        long_numbers: false,
        long_bulk: false,
        greeted: false,
        number: 0,
        bulk: BTreeMap::new(),
    };
    let first = serve(&mut qemu.whole, qemu.now);
    assert_eq!(first, serve(&mut qemu.pieces, qemu.now));
    // The key's greeting is the only message whose number is short in any case.
    assert_eq!((first.len(), &first[..8]), (80, &[0, 0, 0, 0, 68, 0, 0, 0][..]), "no greeting");
    if choices.below(8) > 0 {
        qemu.greet(choices.byte());
        let configured = qemu.message(6, &[1]);
        qemu.tell(&configured);
    }
    while !choices.is_empty() {
        if !qemu.step(&mut choices) {
            return;
        }
    }
}

/// Returns a key that is plugged in, with a new host.
fn plugged_in() -> UsbBus {
    let mut bus = UsbBus::usbredir(device());
    bus.connect();
    bus.set_plugged(Duration::ZERO, true);
    bus
}

impl Qemu {
    fn greet(&mut self, capabilities: u8) {
        // QEMU always has the last three, and they make messages long.
        let body = [&[0; 64][..], &u32::from(capabilities).to_le_bytes()].concat();
        let message = self.message(HELLO, &body);
        let outcome = self.receive(&message);
        assert_eq!(outcome.is_ok(), !self.greeted, "a greeting, {outcome:?}");
        self.greeted = true;
        (self.long_numbers, self.long_bulk) = (capabilities >> 5 & 1 == 1, capabilities >> 6 & 1 == 1);
        self.hear();
    }

    /// Takes one step. Returns whether to go on.
    fn step(&mut self, choices: &mut Choices<'_>) -> bool {
        let message = match choices.below(10) {
            0 => {
                let (kind, length) = SHORT[choices.below(SHORT.len())];
                let mut body = vec![0; length];
                body.iter_mut().zip(choices.bytes(length)).for_each(|(slot, byte)| *slot = *byte);
                self.message(kind, &body)
            }
            1 => {
                let mut head = [0; 10];
                head.iter_mut().zip(choices.bytes(10)).for_each(|(slot, byte)| *slot = *byte);
                // From the key, or without data.
                if head[2] & 0x80 == 0 {
                    (head[8], head[9]) = (0, 0);
                }
                self.message(CONTROL, &head)
            }
            2 => {
                let standard: [u8; 10] = [
                    [0x80, 6, 0x80, 0, 0, 1, 0, 0, 64, 0],
                    [0x80, 6, 0x80, 0, 0, 2, 0, 0, 255, 0],
                    [0x00, 1, 0x02, 0, 0, 0, 0x81, 0, 0, 0],
                    [0x00, 3, 0x02, 0, 0, 0, 0x81, 0, 0, 0],
                ][choices.below(4)];
                self.message(CONTROL, &standard)
            }
            3 | 4 => {
                let room = [64, 512, 4096, choices.below(256)][choices.below(4)];
                self.begin_bulk([0x81, 0x81, 0x83, 0x82][choices.below(4)], room, &[])
            }
            5 => {
                let bytes = [&b"\x03"[..], b"KAQIDBAUG.", choices.some(100)][choices.below(3)];
                self.begin_bulk(3, bytes.len(), bytes)
            }
            6 => {
                let wanted = self.number.saturating_sub(choices.below(16) as u64);
                let number = std::mem::replace(&mut self.number, wanted.saturating_sub(1));
                let message = self.message(21, &[]);
                self.number = number;
                message
            }
            7 => {
                self.now += Duration::from_millis(u64::from(choices.byte()) * 8);
                Vec::new()
            }
            8 if choices.below(8) == 0 => {
                let plugged = choices.below(2) == 0;
                if !plugged {
                    // An unplugged key answers no transfer.
                    self.bulk.clear();
                }
                self.whole.set_plugged(self.now, plugged);
                self.pieces.set_plugged(self.now, plugged);
                Vec::new()
            }
            9 if choices.below(16) == 0 => {
                let raw = choices.some(200).to_vec();
                let _ = self.receive(&raw);
                return false;
            }
            _ => Vec::new(),
        };
        self.tell(&message)
    }

    fn begin_bulk(&mut self, endpoint: u8, length: usize, data: &[u8]) -> Vec<u8> {
        let [a, b, c, d] = (length as u32).to_le_bytes();
        let mut body = vec![endpoint, 0, a, b, 0, 0, 0, 0];
        if self.long_bulk {
            body.extend([c, d]);
        }
        body.extend(data);
        let message = self.message(BULK, &body);
        self.bulk.insert(self.number, length);
        message
    }

    fn message(&mut self, kind: u32, body: &[u8]) -> Vec<u8> {
        self.number += 1;
        let mut bytes = [kind, body.len() as u32].map(u32::to_le_bytes).concat();
        bytes.extend_from_slice(&self.number.to_le_bytes()[..if self.long_numbers { 8 } else { 4 }]);
        bytes.extend_from_slice(body);
        bytes
    }

    /// Sends a valid message to both keys, which accept it once they have been greeted. Returns whether they did.
    fn tell(&mut self, message: &[u8]) -> bool {
        let outcome = self.receive(message);
        let complete = !message.is_empty();
        assert_eq!(outcome.is_ok(), self.greeted || !complete, "{outcome:?} after {message:?}");
        if outcome.is_ok() {
            self.hear();
        }
        outcome.is_ok()
    }

    fn receive(&mut self, message: &[u8]) -> Result<(), Violation> {
        let outcome = self.whole.receive(self.now, message);
        let cut = message.chunks(self.cut).try_for_each(|piece| self.pieces.receive(self.now, piece));
        assert_eq!(outcome, cut, "pieces mean something else");
        outcome
    }

    /// Checks the answers against what QEMU waits for.
    fn hear(&mut self) {
        let said = serve(&mut self.whole, self.now);
        assert_eq!(said, serve(&mut self.pieces, self.now), "pieces get another answer");
        let (head, mut rest) = (if self.long_numbers { 16 } else { 12 }, &said[..]);
        while !rest.is_empty() {
            let word = |at: usize| u32::from_le_bytes(*rest[at..].first_chunk().expect("a message is whole"));
            let (kind, length, number) = (word(0), word(4) as usize, u64::from(word(8)));
            assert!(KINDS.contains(&kind), "a message of kind {kind}");
            let body = rest.get(head..head + length).expect("a message is whole");
            rest = &rest[head + length..];
            if kind == BULK {
                let room = self.bulk.remove(&number);
                let room = room.unwrap_or_else(|| panic!("transfer {number} is answered without a request"));
                let data = body.len() - if self.long_bulk { 10 } else { 8 };
                assert!(data <= room, "{data} bytes where there is room for {room}");
            }
        }
    }
}
