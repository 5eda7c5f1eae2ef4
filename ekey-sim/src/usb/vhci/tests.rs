//! The protocol as the kernel speaks it, and violations of it.

use proptest::prelude::*;

use super::*;
use crate::{Device, Seed, Setup};

const NOW: Duration = Duration::from_millis(50);
const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const GET_DEVICE_64: [u8; 8] = [0x80, 6, 0, 1, 0, 0, 64, 0];
const SET_CONFIGURATION: [u8; 8] = [0, 9, 1, 0, 0, 0, 0, 0];

struct Kernel {
    usbip: UsbIp,
    key: UsbKey,
}

/// Kind, number, status, length, data.
type Answer = (u32, u32, i32, u32, Vec<u8>);

impl Kernel {
    fn ready() -> Self {
        let setup = Setup { rate: 0, ..Setup::from_seed(Seed::from_number(7)) };
        let mut key = UsbKey::new(Device::new(setup));
        key.plug(NOW);
        let mut kernel = Self { usbip: UsbIp::default(), key };
        kernel.control(1, GET_DEVICE_64, 64);
        kernel.control(2, SET_CONFIGURATION, 0);
        assert_eq!(kernel.answers().len(), 2);
        // Read once and long ago, so that the key now answers at once.
        kernel.key.read(Duration::ZERO, 0, 64).expect("can be read");
        kernel.key.cancel(Duration::ZERO, 0);
        kernel
    }

    fn control(&mut self, number: u32, request: [u8; 8], room: u32) {
        self.say(&submit(number, request[0] & 0x80 != 0, 0, room, request, &[])).expect("is understood");
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.usbip.receive(NOW, bytes, &mut self.key)
    }

    fn answers(&mut self) -> Vec<Answer> {
        loop {
            while let Some(completed) = self.key.next_completed(NOW) {
                self.usbip.complete(&completed);
            }
            if self.key.speak(NOW).is_none() {
                break;
            }
        }
        let bytes = std::mem::take(self.usbip.outgoing());
        let (mut rest, mut answers) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let word = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
            let (kind, number, status, length) = (word(0), word(4), word(20) as i32, word(24));
            // Data follows only in answers to reads, whose numbers are below 100 in these tests.
            let data = if kind == 3 && number < 100 { length as usize } else { 0 };
            answers.push((kind, number, status, length, rest[48..48 + data].to_vec()));
            rest = &rest[48 + data..];
        }
        answers
    }
}

fn submit(number: u32, is_in: bool, endpoint: u32, length: u32, request: [u8; 8], data: &[u8]) -> Vec<u8> {
    let mut bytes = [SUBMIT, number, 2, u32::from(is_in), endpoint, 0, length, 0, 0, 0].map(u32::to_be_bytes).concat();
    bytes.extend(request);
    bytes.extend(data);
    bytes
}

fn unlink(number: u32, wanted: u32) -> Vec<u8> {
    [UNLINK, number, 2, 0, 0, wanted, 0, 0, 0, 0, 0, 0].map(u32::to_be_bytes).concat()
}

#[test]
fn answers_have_the_kernels_numbers() {
    let mut kernel = Kernel::ready();
    kernel.control(3, GET_DEVICE_64, 64);
    let answers = kernel.answers();
    assert_eq!((answers[0].0, answers[0].1, answers[0].2, answers[0].3), (3, 3, 0, 18));
    assert_eq!(answers[0].4[8..12], [0xdf, 0x20, 1, 0]);
    kernel.control(4, [0x80, 6, 0, 6, 0, 0, 10, 0], 10);
    assert_eq!(kernel.answers(), [(3, 4, -32, 0, Vec::new())], "a device qualifier: EPIPE");
}

#[test]
fn a_second_enumeration_is_a_reset() {
    let mut kernel = Kernel::ready();
    assert_eq!(kernel.key.counts().resets, 0, "the first time is not a reset");
    kernel.control(3, GET_DEVICE_64, 64);
    kernel.control(4, GET_DEVICE_64, 64);
    assert_eq!((kernel.key.counts().resets, kernel.key.configuration()), (1, 0));
    kernel.control(5, SET_CONFIGURATION, 0);
    kernel.control(6, [0x80, 6, 0, 1, 0, 0, 18, 0], 18);
    assert_eq!((kernel.key.counts().resets, kernel.key.configuration()), (1, 1), "hosts ask for 18 bytes at any time");
}

#[test]
fn bytes_go_both_ways() {
    let mut kernel = Kernel::ready();
    kernel.say(&submit(10, true, 1, 64, [0; 8], &[])).unwrap();
    kernel.say(&submit(100, false, 3, 1, [0; 8], &[3])).unwrap();
    let answers = kernel.answers();
    assert!(answers.contains(&(3, 100, 0, 1, Vec::new())), "the write: {answers:?}");
    let read = answers.iter().find(|answer| answer.1 == 10).expect("the read is answered");
    assert_eq!((read.2, read.3, &read.4[..2]), (0, 64, &b"* "[..]));
}

#[test]
fn a_cancelled_transfer_is_answered_once() {
    let mut kernel = Kernel::ready();
    kernel.say(&submit(10, true, 2, 16, [0; 8], &[])).unwrap();
    kernel.say(&unlink(11, 10)).unwrap();
    kernel.say(&unlink(12, 10)).unwrap();
    assert_eq!(kernel.answers(), [(4, 11, -104, 0, Vec::new()), (4, 12, 0, 0, Vec::new())]);
}

#[test]
fn a_cancelled_read_delivers_what_had_come() {
    let mut kernel = Kernel::ready();
    kernel.say(&submit(10, true, 1, 4096, [0; 8], &[])).unwrap();
    assert_eq!(kernel.answers(), []);
    kernel.say(&unlink(11, 10)).unwrap();
    let answers = kernel.answers();
    assert_eq!((answers[0].0, answers[0].1, answers[0].2), (3, 10, 0));
    assert!(answers[0].3 >= 64, "{} bytes", answers[0].3);
    assert_eq!(answers[1], (4, 11, 0, 0, Vec::new()));
}

#[test]
fn unknown_and_oversized_messages_are_violations() {
    let kind = 9;
    assert_eq!(Kernel::ready().say(&[kind, 0].map(u32::to_be_bytes).concat()), Ok(()), "not whole yet");
    let unknown = [kind; 12].map(u32::to_be_bytes).concat();
    assert_eq!(Kernel::ready().say(&unknown), Err(Violation::Unknown { kind }));
    let long = submit(1, false, 3, u32::MAX, [0; 8], &[]);
    assert_eq!(Kernel::ready().say(&long), Err(Violation::TooLong { kind: SUBMIT, length: u32::MAX.into() }));
}

proptest! {
    #[test]
    fn no_message_breaks_it(messages in proptest::collection::vec(
        (any::<bool>(), 0_u32..8, 0_u32..4, 0_u32..300, any::<[u8; 8]>(), any::<bool>()),
        1..60,
    )) {
        let mut kernel = Kernel::ready();
        for (is_in, number, endpoint, length, request, is_unlink) in messages {
            let data = vec![3; if is_in { 0 } else { length as usize }];
            let bytes =
                if is_unlink { unlink(50, number) } else { submit(number, is_in, endpoint, length, request, &data) };
            prop_assert_eq!(kernel.say(&bytes), Ok(()));
            while let Some(completed) = kernel.key.next_completed(NOW) {
                kernel.usbip.complete(&completed);
            }
            let _ = kernel.key.speak(NOW);
        }
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let mut kernel = Kernel::ready();
        let _ = kernel.say(&bytes);
        prop_assert!(kernel.usbip.outgoing().len() < 64 * 1024);
    }
}
