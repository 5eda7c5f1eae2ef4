//! The content of a frame: it parses under its own MAC, and never verifies under another.

use ekey_proto::crypt::{FrameError, Opened, SessionKey, verify_serial};
use ekey_proto::wire::{CONTENT_LEN, Info, MaskedEntropy, PacketKind, SubCode};
use ekey_proto::{Frame, LongTermKey, Packet, Serial, SessionCrypt};

use crate::choices::Choices;

/// Runs any content, signed, then damaged in one place.
pub fn packet(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (place, bit) = (choices.below(60), choices.below(8));
    let content = content(&mut choices);
    let serial = Serial::from_bytes([7; 12]);
    let crypt = SessionCrypt::new(&serial, &SessionKey::ZERO);
    let frame = Frame::new(content, crypt.mac(&content));
    let parsed = Packet::parse(&content);
    match (crypt.open(&frame), &parsed) {
        (Ok(Opened::Entropy { sequence, block }), Ok(Packet::Entropy(masked))) => {
            assert_eq!(sequence, masked.sequence);
            assert_eq!(crypt.mask(sequence, block.as_bytes()), masked.bytes);
        }
        (Ok(Opened::Packet(verified)), Ok(packet)) => {
            assert_eq!(format!("{:?}", verified.get()), format!("{packet:?}"));
            assert!(!matches!(packet, Packet::Entropy(_)), "{packet:?} kept its mask");
        }
        (Err(FrameError::Packet(seen)), Err(expected)) => assert_eq!(seen, *expected),
        (seen, parsed) => panic!("verified: {seen:?}, parsed: {parsed:?}"),
    }
    if let Ok(packet) = &parsed {
        survives_the_round_trip(&content, packet);
    }
    if let Some((said, _)) = verify_serial(&frame) {
        assert_eq!(*said.get(), serial, "a serial number under the MAC of another");
    }

    let (mut wrong, mut mac) = (content, *frame.mac());
    match wrong.get_mut(place) {
        Some(byte) => *byte ^= 1 << bit,
        None => mac[place - CONTENT_LEN] ^= 1 << bit,
    }
    let damaged = Frame::new(wrong, mac);
    assert!(matches!(crypt.open(&damaged), Err(FrameError::Mac)), "bit {bit} of byte {place} changes nothing");
    let other = SessionCrypt::new(&Serial::from_bytes([8; 12]), &SessionKey::ZERO);
    assert!(matches!(other.open(&frame), Err(FrameError::Mac)), "another key's frame verifies");
}

/// Builds content. Most of it has a known type, because most random types are unknown.
fn content(choices: &mut Choices<'_>) -> [u8; CONTENT_LEN] {
    const KINDS: [&[u8; 2]; 10] = [b"S!", b"k>", b"K!", b"E!", b"I>", b"M>", b"L!", b"l>", b"W>", b"B>"];
    let mut content = [b' '; CONTENT_LEN];
    let (kind, payload) = content.split_at_mut(2);
    match KINDS.get(choices.below(11)) {
        Some(known) => kind.copy_from_slice(*known),
        None => kind.copy_from_slice(&choices.word().to_le_bytes()),
    }
    payload.iter_mut().zip(choices.bytes(50)).for_each(|(slot, byte)| *slot = *byte);
    content
}

fn survives_the_round_trip(content: &[u8; CONTENT_LEN], packet: &Packet) {
    let kind = PacketKind([content[0], content[1]]);
    let again = match packet {
        Packet::Serial { version: 0, serial } => PacketKind::serial_content(serial),
        Packet::SessionRekeyed(device) | Packet::LongTermRekeyed(device) => {
            let _ = LongTermKey::from_bytes(device.bytes);
            kind.binary_content(SubCode::new(device.nonce_len), &device.bytes)
        }
        Packet::Entropy(MaskedEntropy { sequence, bytes }) => kind.binary_content(*sequence, bytes),
        Packet::Info(info) => {
            let payload = &content[2..];
            let spread = [b"  ", payload, b" "].concat();
            assert_eq!(Info::parse(&spread), Ok(*info), "more blanks, another meaning");
            return;
        }
        Packet::LongTermRefused(text) | Packet::UnknownInput(text) | Packet::GeneratorsBad(text) => {
            let shown = text.to_string();
            assert!(shown.len() <= 50 && !shown.contains(char::is_control), "shown as {shown:?}");
            return;
        }
        _ => return,
    };
    assert_eq!(&again, content, "{packet:?} has two encodings");
}
