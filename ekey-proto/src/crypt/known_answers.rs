//! Checks the cryptography against frames of a real key, and against sessions that the original software accepts.

use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec::Vec;

use serde_json::Value;

use super::test_vectors::{bytes, session};
use super::*;
use crate::crypt::skein::calls;
use crate::wire::{CONTENT_LEN, DeviceEntropy, FRAME_LEN, Frame, MAC_LEN, Packet, Serial, SubCode};

const REAL_KEY: &str = include_str!("../../vectors/real-key-frames.csv");

/// Returns the frames of the real key, each with `true` if it must verify under the zero key.
fn real_frames() -> Vec<(Frame, bool)> {
    let rows = REAL_KEY.lines().filter(|line| !line.starts_with('#'));
    let frame = |row: &str| {
        let (content, rest) = row[1..].split_once("\",").expect("a quoted content");
        let (mac, checked) = rest.split_once(',').expect("two more columns");
        let content: [u8; CONTENT_LEN] = content.as_bytes().try_into().expect("52 characters");
        let mac: [u8; MAC_LEN] = mac.as_bytes().try_into().expect("8 characters");
        (Frame::new(content, mac), checked.starts_with("yes"))
    };
    rows.map(frame).collect()
}

fn real_serial() -> Serial {
    "NwBvBlg3OTBJORFD".parse().unwrap()
}

fn frame(text: &Value) -> Frame {
    let bytes: [u8; FRAME_LEN] = text.as_str().unwrap().as_bytes().try_into().expect("64 bytes");
    Frame::from_bytes(&bytes).expect("a frame")
}

/// Opens a frame that must verify and must not carry entropy.
fn packet(crypt: &SessionCrypt, frame: &Frame) -> Verified<Packet> {
    match crypt.open(frame) {
        Ok(Opened::Packet(packet)) => packet,
        other => panic!("{frame:?}: {other:?}"),
    }
}

fn array<const N: usize>(hex: &Value) -> [u8; N] {
    bytes(hex).try_into().expect("the right length")
}

/// Returns the session of the vectors: serial, session key and cryptography.
fn known_session() -> (Serial, SessionKey, SessionCrypt) {
    let vectors = session();
    let rekey = &vectors["session_rekey"];
    let serial: Serial = vectors["serial"].as_str().unwrap().parse().unwrap();
    let zero = SessionCrypt::new(&serial, &SessionKey::ZERO);
    let reply = packet(&zero, &frame(&rekey["reply_frame"]));
    let Packet::SessionRekeyed(device) = reply.get() else { panic!("not K!: {reply:?}") };
    assert_eq!(device.bytes, array(&rekey["device_entropy_hex"]));
    assert_eq!(usize::from(device.nonce_len), bytes(&rekey["nonce_hex"]).len());
    let long_term = LongTermKey::from_bytes(array(&rekey["long_term_key_hex"]));
    let key = long_term.session_key(&serial, device, &bytes(&rekey["nonce_hex"]));
    let crypt = SessionCrypt::new(&serial, &key);
    (serial, key, crypt)
}

#[test]
fn all_eleven_frames_of_a_real_key_verify() {
    let zero = SessionCrypt::new(&real_serial(), &SessionKey::ZERO);
    let frames = real_frames();
    assert_eq!(frames.iter().filter(|(_, verifies)| *verifies).count(), 11);
    for (frame, verifies) in frames {
        let seen = zero.open(&frame);
        assert_eq!(seen.is_ok(), verifies, "{}: {seen:?}", String::from_utf8_lossy(&frame.to_bytes()));
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many frames for an interpreter")]
fn no_real_frame_verifies_with_any_bit_flipped() {
    let zero = SessionCrypt::new(&real_serial(), &SessionKey::ZERO);
    for (frame, _) in real_frames().into_iter().filter(|(_, verifies)| *verifies) {
        for bit in 0..(CONTENT_LEN + MAC_LEN) * 8 {
            let mut bytes = frame.to_bytes();
            bytes[2 + bit / 8] ^= 1 << (bit % 8);
            let flipped = Frame::from_bytes(&bytes).expect("start and end are untouched");
            assert!(matches!(zero.open(&flipped), Err(FrameError::Mac)), "bit {bit} of {frame:?}");
            assert!(verify_serial(&flipped).is_none(), "bit {bit} of {frame:?}");
        }
    }
}

#[test]
fn a_serial_frame_of_a_real_key_names_its_serial() {
    let (serial, _) = verify_serial(&real_frames()[0].0).expect("S! is the first");
    assert_eq!(*serial.get(), real_serial());
}

#[test]
fn the_session_key_is_derived_to_the_last_byte() {
    let (_, key, _) = known_session();
    assert_eq!(key.as_bytes()[..], bytes(&session()["session_rekey"]["session_key_hex"]));
}

#[test]
fn entropy_frames_round_trip_to_the_last_byte() {
    let (_, _, crypt) = known_session();
    let vectors = session();
    let cases = vectors["entropy_frames_under_that_session"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let known = frame(&case["frame"]);
        let sequence = SubCode::new(u16::try_from(case["sequence"].as_u64().unwrap()).unwrap());
        assert_eq!(crypt.mask(sequence, &[0; 32]), array(&case["pad_hex"]), "mask of {}", sequence.value());

        let Ok(Opened::Entropy { sequence: seen, block }) = crypt.open(&known) else { panic!("{known:?}") };
        assert_eq!(seen, sequence);
        assert_eq!(*block.as_bytes(), array(&case["entropy_hex"]), "entropy of {}", sequence.value());

        assert_eq!(crypt.mac(known.content()), *known.mac(), "MAC of {}", sequence.value());
    }
}

#[test]
fn other_frames_of_the_session_have_the_right_mac() {
    let (_, _, crypt) = known_session();
    let vectors = session();
    let mut kinds = BTreeSet::new();
    for text in vectors["other_frames_under_that_session"].as_array().unwrap() {
        let known = frame(text);
        assert!(crypt.open(&known).is_ok(), "{text}");
        assert_eq!(crypt.mac(known.content()), *known.mac());
        kinds.insert(known.content()[0]);
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), b"BIk");
}

#[test]
fn a_long_term_rekey_is_computed_to_the_last_byte() {
    let vectors = session();
    let (serial, _, _) = known_session();
    let rekey = &vectors["long_term_rekey"];
    let nonce = bytes(&rekey["nonce_hex"]);
    let master = MasterKey::from_bytes(array(&rekey["master_key_hex"]));
    assert_eq!(&master.nonce_mac(&serial, &nonce)[..], &rekey["mac_command"].as_str().unwrap().as_bytes()[1..]);

    let zero = SessionCrypt::new(&serial, &SessionKey::ZERO);
    assert!(matches!(packet(&zero, &frame(&rekey["mac_ack_frame"])).get(), Packet::LongTermUnlocked));
    let reply = packet(&zero, &frame(&rekey["reply_frame"]));
    let Packet::LongTermRekeyed(device) = *reply.get() else { panic!("not L!: {reply:?}") };
    assert_eq!(device, DeviceEntropy { nonce_len: 12, bytes: array(&rekey["device_entropy_hex"]) });

    let key = master.long_term_key(&serial, &device, &nonce);
    assert_eq!(key, LongTermKey::from_bytes(array(&rekey["new_long_term_key_hex"])));
    let line = [serial.to_string().as_bytes(), b" ", &key.to_base64()].concat();
    assert_eq!(line, rekey["keyring_line"].as_str().unwrap().as_bytes());
}

#[test]
fn an_entropy_frame_costs_four_threefish_calls() {
    let (_, _, crypt) = known_session();
    let known = frame(&session()["entropy_frames_under_that_session"][0]["frame"]);
    let calls = calls::during(|| assert!(matches!(crypt.open(&known), Ok(Opened::Entropy { .. }))));
    assert_eq!(calls, 4);
}
