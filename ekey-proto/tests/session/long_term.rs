//! Checks setting a long-term key against the known session of `vectors/session.json`.

use std::time::Duration;

use ekey_proto::session::{LongTermRekey, RekeyError, RekeyOutput};
use ekey_proto::{Instant, MasterKey, Nonce, Serial};
use serde_json::Value;

use crate::script::Key;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../vectors/session.json")).expect("valid JSON")
}

fn at(seconds: u64) -> Instant {
    Instant::after_start(Duration::from_secs(seconds))
}

fn begin(expected: Option<Serial>) -> (LongTermRekey, Key) {
    let rekey = &vectors()["long_term_rekey"];
    let master =
        MasterKey::from_card(rekey["master_key_card_33_bytes"].as_str().expect("as in the vectors").as_bytes())
            .expect("as in the vectors");
    let nonce = hex::decode(rekey["nonce_hex"].as_str().expect("as in the vectors")).expect("as in the vectors");
    let nonce = Nonce::new(
        u32::from_le_bytes(nonce[..4].try_into().expect("as in the vectors")),
        nonce[4..].try_into().expect("as in the vectors"),
    );
    let mut machine = LongTermRekey::new(at(0), master, nonce, expected);
    assert_eq!(written(&mut machine), b"\x03");
    (machine, Key::new(crate::script::serial()))
}

fn written(machine: &mut LongTermRekey) -> Vec<u8> {
    let RekeyOutput::Write(command) = machine.poll_output() else { panic!("nothing to write") };
    command.to_bytes().as_ref().to_vec()
}

fn failure(machine: &mut LongTermRekey) -> RekeyError {
    let RekeyOutput::Failed(error) = machine.poll_output() else { panic!("it did not fail") };
    error
}

#[test]
fn the_known_rekey_is_reproduced_command_by_command() {
    let rekey = &vectors()["long_term_rekey"];
    let (mut machine, mut key) = begin(None);
    let leftovers = key.text(*b"I>", "T03000");
    machine.handle_input(at(0), &leftovers);
    assert!(matches!(machine.poll_output(), RekeyOutput::WaitUntil(_)));
    machine.handle_input(at(0), &key.reset());
    assert_eq!(written(&mut machine), rekey["mac_command"].as_str().unwrap().as_bytes());
    machine.handle_input(at(0), rekey["mac_ack_frame"].as_str().unwrap().as_bytes());
    assert_eq!(written(&mut machine), rekey["rekey_command"].as_str().unwrap().as_bytes());
    machine.handle_input(at(0), rekey["reply_frame"].as_str().unwrap().as_bytes());
    let RekeyOutput::Done { serial, long_term_key } = machine.poll_output() else { panic!("not done") };
    let line = format!("{serial} {}", str::from_utf8(&long_term_key.to_base64()).unwrap());
    assert_eq!(line, rekey["keyring_line"].as_str().unwrap());
}

#[test]
fn a_refusal_says_what_the_key_said() {
    let (mut machine, mut key) = begin(None);
    machine.handle_input(at(0), &key.reset());
    written(&mut machine);
    machine.handle_input(at(0), &key.text(*b"M>", ""));
    written(&mut machine);
    machine.handle_input(at(0), &key.text(*b"l>", "Nonce MAC does not match"));
    let error = failure(&mut machine);
    assert!(matches!(error, RekeyError::Refused(_)));
    assert!(error.to_string().contains("Nonce MAC does not match"), "{error}");
}

#[test]
fn another_key_than_the_named_one_is_left_alone() {
    let (mut machine, mut key) = begin(Some("AAAAAAAAAAAAAAAA".parse().unwrap()));
    machine.handle_input(at(0), &key.reset());
    assert!(matches!(failure(&mut machine), RekeyError::WrongSerial { .. }));
}

#[test]
fn a_reply_for_a_shorter_nonce_fails_the_rekey() {
    let (mut machine, mut key) = begin(None);
    machine.handle_input(at(0), &key.reset());
    written(&mut machine);
    machine.handle_input(at(0), &key.text(*b"M>", ""));
    written(&mut machine);
    let short = ekey_proto::wire::PacketKind(*b"L!").binary_content(ekey_proto::wire::SubCode::new(11), &[0; 32]);
    machine.handle_input(at(0), &key.frame(short));
    assert_eq!(failure(&mut machine), RekeyError::NonceLength(11));
}

#[test]
fn each_step_has_its_own_error_for_silence() {
    let (mut machine, _) = begin(None);
    for second in 1..5 {
        machine.handle_timeout(at(second));
        assert_eq!(written(&mut machine), b"\x03", "one ^C a second");
    }
    machine.handle_timeout(at(5));
    assert_eq!(failure(&mut machine), RekeyError::NoSerial);

    let (mut machine, mut key) = begin(None);
    machine.handle_input(at(0), &key.reset());
    written(&mut machine);
    machine.handle_timeout(at(5));
    assert_eq!(failure(&mut machine), RekeyError::NoUnlock);

    let (mut machine, mut key) = begin(None);
    machine.handle_input(at(0), &key.reset());
    written(&mut machine);
    machine.handle_input(at(0), &key.text(*b"M>", ""));
    written(&mut machine);
    machine.handle_timeout(at(5));
    assert_eq!(failure(&mut machine), RekeyError::NoReply);
}

#[test]
fn the_key_may_refuse_or_be_unfit_at_either_step() {
    for (kind, before_the_nonce) in [(*b"l>", true), (*b"l>", false), (*b"B>", true), (*b"B>", false)] {
        let (mut machine, mut key) = begin(None);
        machine.handle_input(at(0), &key.reset());
        written(&mut machine);
        if !before_the_nonce {
            machine.handle_input(at(0), &key.text(*b"M>", ""));
            written(&mut machine);
        }
        machine.handle_input(at(0), &key.text(kind, "why"));
        let error = failure(&mut machine);
        let is_expected = if kind == *b"l>" {
            matches!(error, RekeyError::Refused(_))
        } else {
            matches!(error, RekeyError::GeneratorsBad(_))
        };
        assert!(is_expected && error.to_string().contains("why"), "{error:?}");
    }
}

#[test]
fn input_is_taken_up_to_the_first_output() {
    let (mut machine, mut key) = begin(None);
    let stream = [&b"garbage"[..], &key.reset(), &key.text(*b"M>", ""), b"more"].concat();
    assert_eq!(machine.handle_input(at(0), &stream), 7 + 64);
    written(&mut machine);
    assert_eq!(machine.handle_input(at(0), &stream[71..]), 64);
    written(&mut machine);
    assert_eq!(machine.handle_input(at(0), &stream[135..]), 4);
}

#[test]
fn resets_repeat_until_the_key_answers() {
    let (mut machine, mut key) = begin(None);
    machine.handle_timeout(at(0));
    assert!(matches!(machine.poll_output(), RekeyOutput::WaitUntil(due) if due == at(1)), "before its deadline");
    machine.handle_input(at(0), &key.reset());
    written(&mut machine);
    machine.handle_timeout(at(2));
    assert!(
        matches!(machine.poll_output(), RekeyOutput::WaitUntil(due) if due == at(5)),
        "a reset would lose the unlocking"
    );
}
