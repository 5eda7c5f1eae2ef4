//! The protocol as QEMU speaks it, and violations of it.

use proptest::prelude::*;

use super::*;
use crate::{Device, Seed, Setup};

const NOW: Duration = Duration::from_millis(50);
/// QEMU's capabilities: bits 0 to 7 without 3.
const QEMU: u32 = 0b1111_0111;

/// A host's side of the bus, and the key at the other end.
struct Host {
    redir: Redir,
    key: UsbKey,
    long: bool,
}

/// Kind, number, body.
type Answer = (u32, u64, Vec<u8>);

impl Host {
    /// Connects without greeting.
    fn connected() -> Self {
        let setup = Setup { rate: 0, ..Setup::from_seed(Seed::from_number(7)) };
        let (mut redir, mut key) = (Redir::default(), UsbKey::new(Device::new(setup)));
        redir.connected();
        key.plug(NOW);
        redir.plugged(true);
        Self { redir, key, long: false }
    }

    /// Greets, reads the announcement and configures the key.
    fn ready() -> Self {
        let mut host = Self::connected();
        host.greet(QEMU).expect("the first greeting");
        host.answers();
        host.say(kind::SET_CONFIGURATION, 1, &[1]).expect("is understood");
        host.answers();
        // Read once and long ago, so that the key now answers at once.
        host.key.read(Duration::ZERO, 0, 64).expect("can be read");
        host.key.cancel(Duration::ZERO, 0);
        host
    }

    fn greet(&mut self, capabilities: u32) -> Result<(), Violation> {
        self.say(kind::HELLO, 0, &[&[0; VERSION_LEN][..], &capabilities.to_le_bytes()].concat())?;
        // The key's greeting is the last message with a short number.
        let (kind, _, body) = self.take_answer().expect("a greeting");
        assert_eq!((kind, body.len()), (kind::HELLO, 68));
        self.long = capabilities >> 5 & 1 == 1;
        Ok(())
    }

    fn say(&mut self, kind: u32, id: u64, body: &[u8]) -> Result<(), Violation> {
        let mut bytes = [kind, body.len() as u32].map(u32::to_le_bytes).concat();
        bytes.extend_from_slice(&id.to_le_bytes()[..if self.long { 8 } else { 4 }]);
        bytes.extend_from_slice(body);
        self.redir.receive(NOW, &bytes, &mut self.key)
    }

    /// Completes all transfers that can complete, and returns what the key says.
    fn answers(&mut self) -> Vec<Answer> {
        loop {
            while let Some(completed) = self.key.next_completed(NOW) {
                self.redir.complete(&completed);
            }
            if self.key.speak(NOW).is_none() {
                break;
            }
        }
        std::iter::from_fn(|| self.take_answer()).collect()
    }

    fn take_answer(&mut self) -> Option<Answer> {
        let head = if self.long { 16 } else { 12 };
        let bytes = self.redir.outgoing();
        let number = |at: usize, len: usize| {
            bytes[at..at + len].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        if bytes.is_empty() {
            return None;
        }
        let (kind, length, id) = (number(0, 4) as u32, number(4, 4) as usize, number(8, head - 8));
        let body = bytes[head..head + length].to_vec();
        bytes.drain(..head + length);
        Some((kind, id, body))
    }
}

fn kinds(answers: &[Answer]) -> Vec<u32> {
    answers.iter().map(|(kind, ..)| *kind).collect()
}

fn bulk(endpoint: u8, length: u16, data: &[u8]) -> Vec<u8> {
    let [low, high] = length.to_le_bytes();
    [&[endpoint, 0, low, high, 0, 0, 0, 0, 0, 0], data].concat()
}

#[test]
fn the_announcement_follows_the_greeting() {
    let mut host = Host::connected();
    host.greet(QEMU).unwrap();
    let answers = host.answers();
    assert_eq!(kinds(&answers), [kind::INTERFACE_INFO, kind::EP_INFO, kind::DEVICE_CONNECT]);
    assert_eq!(answers.iter().map(|(.., body)| body.len()).collect::<Vec<_>>(), [132, 160, 10]);
    assert_eq!(answers[2].2, [1, 2, 0, 0, 0xdf, 0x20, 1, 0, 0, 1], "full speed, CDC, 20df:0001, version 1.00");
    let kinds = &answers[1].2[..32];
    assert_eq!((kinds[0], kinds[3], kinds[16], kinds[17], kinds[18]), (0, 2, 0, 2, 3), "by endpoint");
    assert_eq!(kinds.iter().filter(|kind| **kind == 255).count(), 27);
    assert_eq!(answers[1].2[96 + 2 * 17..][..2], [64, 0], "packets of endpoint 0x81");
}

#[test]
fn a_host_without_extensions_gets_short_messages() {
    let mut host = Host::connected();
    host.greet(0).unwrap();
    let answers = host.answers();
    assert_eq!(answers.iter().map(|(.., body)| body.len()).collect::<Vec<_>>(), [132, 96, 8]);
    host.say(kind::SET_CONFIGURATION, 7, &[1]).unwrap();
    assert_eq!(host.answers().last().unwrap(), &(kind::CONFIGURATION_STATUS, 7, vec![0, 1]));
    host.say(kind::BULK_PACKET, 8, &bulk(BULK_OUT, 1, &[3])[..8]).expect_err("a byte is missing");
}

#[test]
fn control_packets_are_answered_by_their_number() {
    let mut host = Host::ready();
    host.say(kind::CONTROL_PACKET, 1 << 40, &[0x80, 6, 0x80, 0, 0, 1, 0, 0, 18, 0]).unwrap();
    host.say(kind::CONTROL_PACKET, 6, &[0x80, 6, 0x80, 0, 0, 6, 0, 0, 10, 0]).unwrap();
    host.say(kind::CONTROL_PACKET, 7, &[0, 0x20, 0x21, 0, 0, 0, 0, 0, 7, 0, 1, 2, 3, 4, 0, 0, 8]).unwrap();
    host.say(kind::CONTROL_PACKET, 8, &[0, 6, 0x80, 0, 0, 1, 0, 0, 18, 0]).unwrap();
    let answers = host.answers();
    assert_eq!((answers[0].1, answers[0].2.len(), answers[0].2[3]), (1 << 40, 28, SUCCESS), "the device descriptor");
    assert_eq!(answers[1].2, [0x80, 6, 0x80, STALL, 0, 6, 0, 0, 0, 0], "a device qualifier");
    assert_eq!(answers[2].2, [0, 0x20, 0x21, SUCCESS, 0, 0, 0, 0, 7, 0], "the line coding");
    assert_eq!(answers[3].2[3], INVALID, "an endpoint of the other direction");
}

#[test]
fn unknown_settings_and_configurations_stall() {
    let mut host = Host::ready();
    for (kind, body) in [
        (kind::SET_ALT_SETTING, &[1, 0][..]),
        (kind::SET_ALT_SETTING, &[1, 1]),
        (kind::GET_ALT_SETTING, &[0]),
        (kind::GET_ALT_SETTING, &[2]),
        (kind::SET_CONFIGURATION, &[2]),
        (kind::GET_CONFIGURATION, &[]),
        (kind::SET_CONFIGURATION, &[0]),
        (kind::GET_ALT_SETTING, &[0]),
    ] {
        host.say(kind, 1, body).unwrap();
    }
    let seen = host.answers().into_iter().filter(|(kind, ..)| !matches!(*kind, kind::EP_INFO | kind::INTERFACE_INFO));
    let seen = seen.map(|(.., body)| body).collect::<Vec<_>>();
    let expected: [&[u8]; 8] =
        [&[0, 1, 0], &[STALL, 1, 0], &[0, 0, 0], &[STALL, 2, 0], &[STALL, 1], &[0, 1], &[0, 0], &[STALL, 0, 0]];
    assert_eq!(seen, expected);
}

#[test]
fn a_read_waits_for_the_key_and_gets_its_bytes() {
    let mut host = Host::ready();
    host.say(kind::BULK_PACKET, 5, &bulk(BULK_IN, 64, &[])).unwrap();
    host.say(kind::BULK_PACKET, 6, &bulk(BULK_OUT, 1, &[3])).unwrap();
    let answers = host.answers();
    let read = answers.iter().find(|(_, id, _)| *id == 5).expect("the read is answered");
    assert_eq!(read.2[..10], [BULK_IN, SUCCESS, 64, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(read.2[10..12], *b"* ", "a frame");
    let write = answers.iter().find(|(_, id, _)| *id == 6).expect("the write is answered");
    assert_eq!(write.2, [BULK_OUT, SUCCESS, 1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_cancelled_read_is_answered_once_and_loses_none() {
    let mut host = Host::ready();
    host.say(kind::BULK_PACKET, 5, &bulk(BULK_IN, 1024, &[])).unwrap();
    assert_eq!(host.answers(), [], "fewer bytes than asked for");
    host.say(kind::CANCEL_DATA_PACKET, 5, &[]).unwrap();
    host.say(kind::CANCEL_DATA_PACKET, 5, &[]).unwrap();
    assert_eq!(host.answers(), [(kind::BULK_PACKET, 5, vec![BULK_IN, CANCELLED, 0, 0, 0, 0, 0, 0, 0, 0])]);
    host.say(kind::BULK_PACKET, 6, &bulk(BULK_IN, 64, &[])).unwrap();
    assert_eq!(host.answers()[0].2[10..12], *b"* ");
}

#[test]
fn messages_after_an_unplug_are_ignored() {
    let mut host = Host::ready();
    host.key.pull();
    host.redir.plugged(false);
    assert_eq!(kinds(&host.answers()), [kind::DEVICE_DISCONNECT]);
    host.say(kind::BULK_PACKET, 6, &bulk(BULK_OUT, 1, &[3])).unwrap();
    host.say(kind::DEVICE_DISCONNECT_ACK, 0, &[]).unwrap();
    assert_eq!(host.answers(), []);
    host.key.plug(NOW);
    host.redir.plugged(true);
    assert_eq!(kinds(&host.answers()), [kind::INTERFACE_INFO, kind::EP_INFO, kind::DEVICE_CONNECT]);
}

#[test]
fn messages_that_were_not_agreed_on_are_violations() {
    let mut host = Host::connected();
    assert_eq!(host.say(kind::RESET, 0, &[]), Err(Violation::OutOfOrder { kind: kind::RESET }));
    let too_late = Host::ready().say(kind::HELLO, 0, &[0; 68]);
    assert_eq!(too_late, Err(Violation::OutOfOrder { kind: kind::HELLO }));
    let start_bulk_receiving = 25;
    let unknown = Host::ready().say(start_bulk_receiving, 0, &[0; 10]);
    assert_eq!(unknown, Err(Violation::Unknown { kind: start_bulk_receiving }));
    let long = Host::ready().say(kind::CONTROL_PACKET, 0, &[0; 70_000]);
    assert_eq!(long, Err(Violation::TooLong { kind: kind::CONTROL_PACKET, length: 70_000 }));
    let short = Host::ready().say(kind::SET_ALT_SETTING, 0, &[0]);
    assert_eq!(short, Err(Violation::WrongLength { kind: kind::SET_ALT_SETTING, length: 1 }));
}

#[test]
fn a_length_of_4_gib_is_rejected_at_its_header() {
    let mut host = Host::ready();
    let bytes = [kind::BULK_PACKET, u32::MAX, 0, 0].map(u32::to_le_bytes).concat();
    let refused = host.redir.receive(NOW, &bytes, &mut host.key);
    assert_eq!(refused, Err(Violation::TooLong { kind: kind::BULK_PACKET, length: u32::MAX.into() }));
}

proptest! {
    #[test]
    fn messages_mean_the_same_in_any_pieces(cuts in proptest::collection::vec(1_usize..40, 1..60)) {
        let mut bytes = Vec::new();
        let mut say = |kind: u32, id: u64, body: &[u8]| {
            bytes.extend([kind, body.len() as u32].map(u32::to_le_bytes).concat());
            bytes.extend(id.to_le_bytes());
            bytes.extend_from_slice(body);
        };
        say(kind::BULK_PACKET, 1, &bulk(BULK_OUT, 5, &[3, 3, 3, 3, 3]));
        say(kind::CONTROL_PACKET, 2, &[0x80, 6, 0x80, 0, 0, 2, 0, 0, 255, 0]);
        say(kind::BULK_PACKET, 3, &bulk(BULK_IN, 256, &[]));
        let mut whole = Host::ready();
        whole.redir.receive(NOW, &bytes, &mut whole.key).unwrap();
        let mut pieces = Host::ready();
        let (mut rest, mut cuts) = (&bytes[..], cuts.into_iter().cycle());
        while !rest.is_empty() {
            let piece;
            (piece, rest) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
            pieces.redir.receive(NOW, piece, &mut pieces.key).unwrap();
        }
        prop_assert_eq!(pieces.answers(), whole.answers());
    }

    #[test]
    fn no_message_breaks_it(messages in proptest::collection::vec(
        (prop_oneof![0_u32..28, 100_u32..105, any::<u32>()], 0_u64..4, proptest::collection::vec(any::<u8>(), 0..24)),
        1..60,
    )) {
        let mut host = Host::ready();
        for (kind, id, body) in messages {
            if host.say(kind, id, &body).is_err() {
                host = Host::ready();
            }
            host.answers();
        }
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..2000), greeted in any::<bool>()) {
        let mut host = if greeted { Host::ready() } else { Host::connected() };
        let _ = host.redir.receive(NOW, &bytes, &mut host.key);
        let most = 64 * 1024;
        prop_assert!(host.redir.outgoing().len() < most, "{} bytes of answers", host.redir.outgoing().len());
    }
}
