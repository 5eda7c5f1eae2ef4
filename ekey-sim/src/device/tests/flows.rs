//! Conversations of a healthy key: power-up, session, rekeys, information.

use ekey_proto::LongTermKey;
use ekey_proto::MasterKey;
use serde_json::Value;

use super::host::command;
use super::*;

#[test]
fn an_idle_key_asks_for_a_session_once_per_block() {
    let mut host = Host::of(Setup { rate: 126, ..setup() });
    let mut heard = Vec::new();
    for _ in 0..100 {
        heard.extend(host.hear());
        host.wait(Duration::from_millis(100));
    }
    let count = |what: &Heard| heard.iter().filter(|seen| *seen == what).count();
    assert_eq!(count(&Heard::Climate), 9, "seconds 1 to 9");
    assert_eq!(count(&Heard::Fips), 9);
    assert_eq!(count(&Heard::Badness('0')), 9);
    assert!((14..=17).contains(&count(&Heard::NeedsSession)), "one per 78/126 s: {}", count(&Heard::NeedsSession));
    assert_eq!(heard.len(), 27 + count(&Heard::NeedsSession), "nothing else");
}

#[test]
fn a_reset_is_answered_under_the_zero_key() {
    let mut host = Host::of(setup());
    let serial = *host.key.serial();
    for command in [&b"\x03"[..], b"R", b"r", b"KAQ\x03"] {
        host.rekey(&[7; 12]);
        assert_eq!(host.say(command)[0], Heard::Serial(serial), "{command:?}");
        assert!(!host.hear().iter().any(|heard| matches!(heard, Heard::Entropy(..))), "no entropy without a session");
    }
}

#[test]
fn a_session_starts_at_sequence_number_0() {
    let mut host = Host::of(setup());
    for nonce in [&[7; 12][..], &[], &[1; 4095], &[2; 100]] {
        let heard = host.rekey(nonce);
        assert_eq!(heard[0], Heard::Rekeyed(nonce.len() as u16));
        assert!(matches!(heard[1], Heard::Entropy(0, _)), "{:?}", heard[1]);
        assert!(!heard.iter().any(|heard| matches!(heard, Heard::Wrong(_))));
        assert!(heard.len() <= 1 + blocks::FRAMES);
    }
}

#[test]
fn a_session_ends_after_4096_frames_inside_a_block() {
    let mut host = Host::of(setup());
    for session in 0..3 {
        let mut heard = host.rekey(&[session; 12]);
        while !heard.contains(&Heard::NeedsSession) {
            heard.extend(host.hear());
        }
        let sequence: Vec<u16> = heard
            .iter()
            .filter_map(|heard| if let Heard::Entropy(sequence, _) = heard { Some(*sequence) } else { None })
            .collect();
        assert!(sequence.iter().copied().eq(0..=4095), "session {session}: {} frames", sequence.len());
        assert_eq!(heard.last(), Some(&Heard::NeedsSession));
        assert!(host.hear().is_empty(), "it asks once per block");
    }
}

#[test]
fn the_plain_log_is_what_the_host_unmasks() {
    let mut host = Host::of(setup());
    let blocks = host.entropy(9000);
    let unmasked: Vec<u8> = blocks.iter().flat_map(|(_, block)| *block).collect();
    assert!(unmasked == host.log, "{} bytes unmasked, {} logged", unmasked.len(), host.log.len());
}

#[test]
fn the_rate_holds_and_catches_up_by_one_block() {
    let mut host = Host::of(Setup { rate: 126, ..setup() });
    host.rekey(&[1; 12]);
    let mut frames = host.log.len() / 32;
    for _ in 0..3000 {
        host.wait(Duration::from_millis(10));
        host.take();
    }
    assert!((host.log.len() / 32 - frames).abs_diff(30 * 126) <= 78, "{} in 30 s", host.log.len() / 32 - frames);

    frames = host.log.len() / 32;
    host.wait(seconds(20));
    for _ in 0..5 {
        host.take();
    }
    assert_eq!(host.log.len() / 32 - frames, 2 * 78);
}

#[test]
fn next_output_says_when_the_key_speaks() {
    for rate in [0, 1, 126, 1000] {
        let mut host = Host::of(Setup { rate, ..setup() });
        for step in 0..2000 {
            let Some(at) = host.key.next_output() else { panic!("a healthy key is never silent") };
            if at > host.now {
                assert_eq!(host.take().len(), 0, "before its time, step {step} at rate {rate}");
                host.now = at;
            }
            assert!(!host.take().is_empty(), "at its time, step {step} at rate {rate}");
            if step % 500 == 0 {
                host.rekey(&[1; 12]);
            }
        }
    }
}

#[test]
fn an_unknown_byte_skips_the_rest_of_its_packet() {
    let mut host = Host::of(setup());
    host.hear();
    assert_eq!(host.say(b"eRK."), [Heard::Unknown("Unknown Input Character 0x65".to_owned())]);
    let packets = [b'e'; 65];
    assert_eq!(host.say(&packets).len(), 2, "65 bytes are two packets");
}

#[test]
fn a_long_term_rekey_needs_the_master_key() {
    let vectors: Value = serde_json::from_str(include_str!("../../../../ekey-proto/vectors/session.json")).unwrap();
    let rekey = &vectors["long_term_rekey"];
    let text = |name: &str| rekey[name].as_str().unwrap().as_bytes().to_vec();
    let nonce = hex::decode(text("nonce_hex")).unwrap();
    let master = || MasterKey::from_card(&text("master_key_card_33_bytes")).unwrap();
    let serial = vectors["serial"].as_str().unwrap().parse().unwrap();
    let mut host = Host::of(Setup { serial, master_key: master(), ..setup() });
    host.hear();

    let refused = |why: &str| Heard::Refused(why.to_owned());
    assert_eq!(host.say(&text("rekey_command")), [refused("Long-term rekey locked-out")]);
    assert_eq!(host.say(b"MAAAAAAAA"), [Heard::Unlocked]);
    assert_eq!(host.say(&text("rekey_command")), [refused("Nonce MAC does not match")]);
    assert_eq!(host.say(&text("rekey_command")), [refused("Long-term rekey locked-out")], "one attempt per unlock");
    assert_eq!(host.say(&text("mac_command")), [Heard::Unlocked]);
    host.say(b"\x03");
    host.hear();
    assert_eq!(host.say(&text("rekey_command")), [refused("Long-term rekey locked-out")], "a reset locks");
    assert!(host.kept.is_none());

    host.key.handle_input(host.now, &text("mac_command"));
    let unlocked = host.take();
    assert_eq!(unlocked, text("mac_ack_frame"), "to the last byte");
    let heard = host.say(&text("rekey_command"));
    let [Heard::LongTermRekeyed(device)] = heard[..] else { panic!("{heard:?}") };
    assert_eq!(device.nonce_len, 12);
    let expected = master().long_term_key(&serial, &device, &nonce);
    assert_eq!(host.kept.as_ref(), Some(&expected));

    assert_eq!(host.rekey(&[3; 12])[1], Heard::Wrong(b'E'), "the old long-term key is no longer valid");
    let mut host = renewed(host, expected);
    assert!(matches!(host.rekey(&[3; 12])[1], Heard::Entropy(0, _)));
}

/// Gives the host the new long-term key and starts over.
fn renewed(mut host: Host, long_term_key: LongTermKey) -> Host {
    host.long_term_key = long_term_key;
    host.say(b"\x03");
    host
}

#[test]
fn a_long_term_rekey_is_signed_by_the_session_key() {
    let (nonce, master) = ([5; 12], MasterKey::from_bytes([9; 32]));
    let mut host = Host::of(Setup { rate: 1, master_key: MasterKey::from_bytes([9; 32]), ..setup() });
    host.rekey(&[1; 12]);
    host.hear();
    let mac = master.nonce_mac(host.key.serial(), &nonce);
    assert_eq!(host.say(&[&b"m"[..], &mac].concat()), [Heard::Unlocked]);
    assert!(matches!(host.say(&command(b'l', &nonce))[..], [Heard::LongTermRekeyed(_)]));
    host.wait(seconds(100));
    assert!(host.hear().iter().any(|heard| matches!(heard, Heard::Entropy(..))), "the session goes on");
}
