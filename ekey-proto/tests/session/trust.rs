//! The limits of what the session trusts. Each test fails if a sign or a limit there changes.

use std::time::Duration;

use ekey_proto::Serial;
use ekey_proto::session::{Counters, State};
use ekey_proto::wire::Badness;

use crate::script::{Bench, Did, Key, LONG_TERM_KEY};

const SECOND: Duration = Duration::from_secs(1);
const BAD: &str = "S08052:23751:23792:23584:07112:20876:08063:24150:3";
const WELL: &str = "S08052:23751:23792:23584:07112:20876:08063:24150:0";

fn flipped(mut frame: [u8; 64]) -> [u8; 64] {
    frame[20] ^= 1;
    frame
}

fn other() -> Serial {
    "AAAAAAAAAAAAAAAA".parse().expect("a serial")
}

#[test]
fn two_failures_after_a_rekey_do_not_mean_a_bad_key() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    let reply = bench.key.rekey(LONG_TERM_KEY, 12);
    bench.hear(&reply);
    let damaged = flipped(bench.key.entropy(0, 1));
    assert_eq!(bench.hear(&damaged.repeat(2)), []);
    let good = bench.key.entropy(1, 1);
    assert_eq!(bench.hear(&good), [Did::Entropy([1; 32]), Did::State(State::Running)]);
    assert_eq!(bench.hear(&damaged.repeat(3)), [], "three later on say nothing of the long-term key");
}

#[test]
fn a_wrong_key_is_not_keyed_after_it_was_unwell() {
    let mut bench = Bench::expecting(Some(other()));
    bench.drain();
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), [Did::State(State::WrongSerial)]);
    let bad = bench.key.text(*b"I>", BAD);
    assert_eq!(bench.hear(&bad), [Did::State(State::SelfStopped(Badness::from_code(b'3'))), Did::Info]);
    let well = bench.key.text(*b"I>", WELL);
    assert_eq!(bench.hear(&well), [Did::State(State::WrongSerial), Did::Info]);
    bench.key = Key::new(other());
    assert_eq!(bench.pass(5 * SECOND).first(), Some(&Did::State(State::Silent)), "and is asked again");
}

#[test]
fn a_bad_key_is_not_asked_for_the_planned_session() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), [Did::State(State::SerialOk)], "the next session key waits a second");
    let bad = bench.key.text(*b"I>", BAD);
    bench.hear(&bad);
    assert_eq!(bench.pass(2 * SECOND), []);
}

#[test]
fn a_session_key_waits_for_the_serial_after_a_reset() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    let hello = bench.key.reset();
    bench.hear(&hello);
    let damaged = flipped(bench.key.text(*b"k>", ""));
    assert_eq!(bench.hear(&damaged.repeat(8)), []);
    let did = bench.pass(SECOND);
    assert_eq!(did, [Did::Write(ekey_proto::Command::Reset)], "the session key waits for the S!");
}

#[test]
fn a_permitted_reset_goes_out_at_once() {
    let mut bench = Bench::identified();
    bench.pass(SECOND);
    bench.session.start_over(bench.instant());
    assert_eq!(bench.drain(), [Did::Write(ekey_proto::Command::Reset)]);
    bench.session.start_over(bench.instant());
    assert_eq!(bench.drain(), [], "not twice within a second");
}

#[test]
fn a_used_up_session_is_renewed_if_the_key_goes_on() {
    let mut bench = Bench::running();
    let last = bench.key.entropy(4095, 1);
    assert_eq!(bench.hear(&last), [Did::Entropy([1; 32]), Did::NeedNonce]);
    bench.give_nonce(Some(LONG_TERM_KEY));
    let mut asked = 0;
    for sequence in 0..40 {
        let again = bench.key.entropy(sequence, 2);
        let did = [bench.hear(&again), bench.pass(SECOND / 4)].concat();
        assert!(did.iter().all(|did| *did == Did::NeedNonce), "{did:?}");
        asked += did.len();
        bench.give_nonce(Some(LONG_TERM_KEY));
    }
    assert!((2..=4).contains(&asked), "asked {asked} times in 10 s, each of which may wait 3 s for an answer");
}

#[test]
fn a_repetition_does_not_renew_an_unfinished_session() {
    let mut bench = Bench::running();
    let last_but_one = bench.key.entropy(4094, 1);
    assert_eq!(bench.hear(&last_but_one), [Did::Entropy([1; 32])]);
    for _ in 0..12 {
        let did = [bench.hear(&last_but_one), bench.pass(SECOND / 4)].concat();
        assert_eq!(did, []);
    }
    let last = bench.key.entropy(4095, 2);
    assert_eq!(bench.hear(&last), [Did::Entropy([2; 32]), Did::NeedNonce]);
}

#[test]
fn everything_that_happens_is_counted() {
    let mut bench = Bench::new();
    bench.drain();
    let leftover = bench.key.text(*b"k>", "");
    bench.hear(&leftover.repeat(3));
    let hello = bench.key.reset();
    bench.hear(&hello);
    bench.give_nonce(Some(LONG_TERM_KEY));
    let reply = bench.key.rekey(LONG_TERM_KEY, 12);
    bench.hear(&reply);
    for sequence in [0, 1, 4, 4] {
        let frame = bench.key.entropy(sequence, 1);
        bench.hear(&frame);
    }
    let said = [bench.key.text(*b"W>", ""), bench.key.text(*b"M>", ""), bench.key.text(*b"E!", "no base64")];
    bench.hear(&said.concat());
    let damaged = flipped(bench.key.entropy(5, 1));
    bench.hear(&damaged.repeat(2));
    let expected = Counters {
        verified: 8,
        entropy_blocks: 3,
        mac_failures: 2,
        replayed: 1,
        lost: 2,
        malformed: 1,
        unexpected: 1,
        unknown_input: 1,
        leftover: 3,
        resets: 1,
        nonces: 1,
        rekeys: 1,
        bad_long_term_keys: 0,
    };
    assert_eq!(bench.session.counters(), expected);
    assert_eq!(bench.session.framer_counters().frames, 3 + 1 + 1 + 4 + 3 + 2);
    assert_eq!(bench.session.last_verified(), bench.instant());
}

#[test]
fn unasked_answers_and_misplaced_entropy_are_counted() {
    let mut bench = Bench::identified();
    let early = bench.key.entropy(0, 1);
    assert_eq!(bench.hear(&early), [], "under the zero key");
    assert_eq!(bench.session.counters().unexpected, 1);
    bench.give_nonce(Some(LONG_TERM_KEY));
    let short = bench.key.rekey(LONG_TERM_KEY, 11);
    bench.hear(&short);
    assert_eq!((bench.session.counters().malformed, bench.session.counters().rekeys), (1, 0));

    let mut bench = Bench::running();
    let unasked = bench.key.rekey(LONG_TERM_KEY, 12);
    bench.hear(&unasked);
    assert_eq!((bench.session.counters().unexpected, bench.session.counters().rekeys), (1, 1));

    let mut bench = Bench::running();
    let bad = bench.key.text(*b"I>", BAD);
    let late = bench.key.entropy(1, 1);
    bench.hear(&[bad, late].concat());
    assert_eq!((bench.session.counters().unexpected, bench.session.counters().entropy_blocks), (1, 1));
}

#[test]
fn the_counts_of_two_sessions_add_up_each_by_itself() {
    let counted = |from: u64| Counters {
        verified: from,
        entropy_blocks: from + 1,
        mac_failures: from + 2,
        replayed: from + 3,
        lost: from + 4,
        malformed: from + 5,
        unexpected: from + 6,
        unknown_input: from + 7,
        leftover: from + 8,
        resets: from + 9,
        nonces: from + 10,
        rekeys: from + 11,
        bad_long_term_keys: from + 12,
    };
    let mut sum = counted(100);
    sum += counted(1000);
    let expected = |at: u64| 1100 + 2 * at;
    let Counters { verified, entropy_blocks, mac_failures, replayed, lost, malformed, unexpected, .. } = sum;
    let seen = [verified, entropy_blocks, mac_failures, replayed, lost, malformed, unexpected];
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6].map(expected));
    let Counters { unknown_input, leftover, resets, nonces, rekeys, bad_long_term_keys, .. } = sum;
    assert_eq!(
        [unknown_input, leftover, resets, nonces, rekeys, bad_long_term_keys],
        [7, 8, 9, 10, 11, 12].map(expected)
    );
}
