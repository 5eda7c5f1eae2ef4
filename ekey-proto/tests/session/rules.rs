//! The rules of an entropy session.

use std::time::Duration;

use ekey_proto::session::State;
use ekey_proto::wire::Badness;
use ekey_proto::{Command, Serial};

use crate::script::{Bench, Did, Key, LONG_TERM_KEY, nonce, serial};

const SECOND: Duration = Duration::from_secs(1);
const RESET: Did = Did::Write(Command::Reset);

fn flipped(mut frame: [u8; 64]) -> [u8; 64] {
    frame[20] ^= 1;
    frame
}

#[test]
fn opening_sends_one_reset_then_agrees_a_session_key() {
    let mut bench = Bench::new();
    assert_eq!(bench.drain(), [RESET, Did::State(State::AwaitSerial)]);
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), [Did::State(State::SerialOk), Did::NeedNonce]);
    assert_eq!(bench.session.serial(), Some(serial()));
    let keying = bench.give_nonce(Some(LONG_TERM_KEY));
    assert_eq!(keying, [Did::Write(Command::RekeySession(nonce())), Did::State(State::Keying)]);
    let reply = bench.key.rekey(LONG_TERM_KEY, 12);
    assert_eq!(bench.hear(&reply), []);
    let entropy = bench.key.entropy(0, 5);
    assert_eq!(bench.hear(&entropy), [Did::Entropy([5; 32]), Did::State(State::Running)]);
}

#[test]
fn what_is_left_over_from_before_is_ignored() {
    let mut bench = Bench::new();
    bench.drain();
    let mut old = Key::new(serial());
    old.rekey([1; 32], 12);
    assert_eq!(bench.hear(&old.entropy(100, 1)), []);
    assert_eq!(bench.hear(&bench.key.text(*b"k>", "zero key, before S!")), []);
    assert_eq!(bench.session.counters().leftover, 2);
    assert_eq!(bench.session.counters().mac_failures, 0);
}

#[test]
fn an_unverified_serial_frame_is_not_believed() {
    let mut bench = Bench::new();
    bench.drain();
    let hello = flipped(bench.key.reset());
    assert_eq!(bench.hear(&hello), []);
    assert_eq!(bench.session.state(), State::AwaitSerial);
}

#[test]
fn a_key_that_never_answers_is_silent_after_3_s() {
    let mut bench = Bench::new();
    bench.drain();
    assert_eq!(bench.pass(2 * SECOND), [RESET, RESET]);
    assert_eq!(bench.pass(SECOND), [RESET, Did::State(State::Silent)]);
    assert_eq!(bench.pass(20 * SECOND), [RESET, RESET, RESET, RESET], "one in five seconds once it is known");
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), [Did::State(State::SerialOk), Did::NeedNonce]);
}

#[test]
fn a_running_key_is_silent_after_5_s_without_a_frame() {
    let mut bench = Bench::running();
    assert_eq!(bench.pass(4 * SECOND), []);
    let garbage = flipped(bench.key.entropy(1, 1));
    assert_eq!(bench.hear(&garbage), []);
    assert_eq!(bench.pass(SECOND), [Did::State(State::Silent), RESET]);
}

#[test]
fn a_key_that_only_paused_goes_on_and_loses_nothing() {
    let mut bench = Bench::running();
    bench.pass(5 * SECOND);
    let late = bench.key.entropy(1, 1);
    assert_eq!(bench.hear(&late), [Did::Entropy([1; 32]), Did::State(State::Running)]);
}

#[test]
fn one_damaged_frame_costs_only_itself() {
    let mut bench = Bench::running();
    for sequence in (1..401).step_by(8) {
        for damaged in 0..7 {
            let frame = flipped(bench.key.entropy(sequence + damaged, 1));
            assert_eq!(bench.hear(&frame), []);
        }
        let good = bench.key.entropy(sequence + 7, 2);
        assert_eq!(bench.hear(&good), [Did::Entropy([2; 32])]);
    }
    assert_eq!(bench.session.counters().mac_failures, 350);
    assert_eq!(bench.session.counters().lost, 350);
    assert_eq!(bench.session.counters().resets, 1);
}

#[test]
fn eight_damaged_frames_in_a_row_start_over() {
    let mut bench = Bench::running();
    bench.pass(2 * SECOND);
    let damaged = flipped(bench.key.entropy(1, 1));
    assert_eq!(bench.hear(&damaged.repeat(7)), []);
    assert_eq!(bench.hear(&damaged), [RESET]);
    assert_eq!(bench.hear(&damaged.repeat(64)), []);
    assert_eq!(bench.session.counters().mac_failures, 8, "no frame is checked before the next S!");
    let good = bench.key.entropy(2, 1);
    assert_eq!(bench.hear(&good), []);
    assert_eq!(bench.pass(SECOND), [RESET]);
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), [Did::State(State::SerialOk), Did::NeedNonce]);
    assert_eq!(bench.pass(SECOND), [], "a verified S! ends the resets");
}

#[test]
fn a_sequence_number_that_is_not_new_is_a_replay() {
    let mut bench = Bench::running();
    for (sequence, taken) in [(1, true), (1, false), (0, false), (5, true), (4, false), (6, true), (6, false)] {
        let frame = bench.key.entropy(sequence, 3);
        assert_eq!(bench.hear(&frame).len(), usize::from(taken), "sequence number {sequence}");
    }
    assert_eq!(bench.session.counters().replayed, 4);
    assert_eq!(bench.session.counters().lost, 3);
}

#[test]
fn a_frame_of_an_earlier_session_is_dropped() {
    let mut bench = Bench::running();
    let old = bench.key.entropy(1, 1);
    let hello = bench.key.reset();
    bench.hear(&hello);
    bench.give_nonce(Some([0x77; 32]));
    let reply = bench.key.rekey([0x77; 32], 12);
    bench.hear(&reply);
    let first = bench.key.entropy(0, 1);
    bench.hear(&first);
    assert_eq!(bench.hear(&old), []);
    assert_eq!(bench.session.counters().mac_failures, 1);
}

#[test]
fn entropy_under_the_zero_key_is_never_taken() {
    let mut bench = Bench::identified();
    let forged = bench.key.entropy(0, 0);
    assert_eq!(bench.hear(&forged), []);
    assert_eq!(bench.session.counters().unexpected, 1);
}

#[test]
fn the_last_sequence_number_triggers_a_rekey() {
    let mut bench = Bench::running();
    let last = bench.key.entropy(4095, 1);
    assert_eq!(bench.hear(&last), [Did::Entropy([1; 32]), Did::NeedNonce]);
    assert_eq!(bench.give_nonce(Some(LONG_TERM_KEY)), [Did::Write(Command::RekeySession(nonce()))]);
    let asked = bench.key.text(*b"k>", "");
    assert_eq!(bench.hear(&asked), [], "the K is on its way");
    let reply = bench.key.rekey(LONG_TERM_KEY, 12);
    assert_eq!(bench.hear(&reply), []);
    let first = bench.key.entropy(0, 2);
    assert_eq!(bench.hear(&first), [Did::Entropy([2; 32])], "it never left Running");
}

#[test]
fn a_key_that_skips_to_the_last_number_waits() {
    let mut bench = Bench::running();
    let mut asked = 0;
    for _ in 0..100 {
        let last = bench.key.entropy(4095, 1);
        let did = bench.hear(&last);
        asked += did.iter().filter(|did| **did == Did::NeedNonce).count();
        if bench.give_nonce(Some(LONG_TERM_KEY)) == [Did::Write(Command::RekeySession(nonce()))] {
            let reply = bench.key.rekey(LONG_TERM_KEY, 12);
            bench.hear(&reply);
        }
    }
    assert_eq!(asked, 1, "times in one moment");
    assert_eq!(bench.pass(Duration::from_secs(1)), [Did::NeedNonce]);
}

#[test]
fn a_whole_session_is_renewed_at_once() {
    let mut bench = Bench::running();
    for _ in 0..3 {
        // It has lost some of them.
        let frames: Vec<_> = (1..4096).filter(|at| at % 3 > 0).map(|at| bench.key.entropy(at, 1)).collect();
        assert!(!bench.hear(&frames.concat()).contains(&Did::NeedNonce), "4095 is among the lost");
        let last = bench.key.entropy(4095, 1);
        assert_eq!(bench.hear(&last), [Did::Entropy([1; 32]), Did::NeedNonce]);
        bench.give_nonce(Some(LONG_TERM_KEY));
        let reply = bench.key.rekey(LONG_TERM_KEY, 12);
        bench.hear(&reply);
    }
}

#[test]
fn only_a_frame_under_a_session_key_proves_a_key() {
    let mut bench = Bench::identified();
    let report = bench.key.text(*b"I>", "T03000");
    bench.hear(&report);
    bench.give_nonce(Some(LONG_TERM_KEY));
    let reply = bench.key.rekey(LONG_TERM_KEY, 12);
    bench.hear(&reply);
    assert!(!bench.session.is_proven(), "after frames under the zero key");
    let report = bench.key.text(*b"I>", "T03000");
    bench.hear(&report);
    assert!(bench.session.is_proven());
    let hello = bench.key.reset();
    bench.hear(&hello);
    assert!(!bench.session.is_proven(), "after another S!");
}

#[test]
fn a_key_that_asks_for_a_session_key_gets_one() {
    let mut bench = Bench::running();
    let asks = bench.key.text(*b"k>", "");
    assert_eq!(bench.hear(&asks), [Did::NeedNonce]);
}

#[test]
fn after_an_unanswered_k_the_next_request_retries() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    let asks = bench.key.text(*b"k>", "");
    bench.pass(2 * SECOND);
    assert_eq!(bench.hear(&asks), [], "two seconds after K");
    bench.pass(SECOND + SECOND / 2);
    assert_eq!(bench.hear(&asks), [Did::NeedNonce], "three and a half seconds after K");
}

#[test]
fn a_reply_for_another_nonce_length_starts_over() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    bench.pass(2 * SECOND);
    let reply = bench.key.rekey(LONG_TERM_KEY, 11);
    assert_eq!(bench.hear(&reply), [RESET]);
}

#[test]
fn three_failures_after_a_rekey_mean_a_bad_key() {
    let mut bench = Bench::identified();
    let mut pauses = Vec::new();
    for _ in 0..4 {
        bench.give_nonce(Some(LONG_TERM_KEY));
        let reply = bench.key.rekey([0xbb; 32], 12);
        bench.hear(&reply);
        bench.pass(SECOND);
        let noise = bench.key.entropy(0, 1);
        bench.hear(&noise.repeat(3));
        assert_eq!(bench.session.state(), State::LongTermKeyBad);
        let began = bench.now;
        let hello = bench.key.reset();
        assert_eq!(bench.hear(&hello), []);
        while bench.drain().is_empty() && bench.pass(SECOND / 4) != [Did::NeedNonce] {
            let alive = bench.key.text(*b"I>", "T03000");
            assert_eq!(bench.hear(&alive), [Did::Info]);
        }
        pauses.push((bench.now - began).as_secs());
    }
    assert_eq!(pauses, [5, 10, 20, 40]);
    assert_eq!(bench.session.counters().bad_long_term_keys, 4);
}

#[test]
fn a_new_keyring_ends_the_pause_of_a_bad_key() {
    let mut bench = Bench::with_a_bad_key();
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), []);
    bench.session.handle_new_keyring(bench.instant());
    assert_eq!(bench.pass(Duration::ZERO), [Did::NeedNonce]);
    bench.give_nonce(Some(LONG_TERM_KEY));
    let reply = bench.key.rekey(LONG_TERM_KEY, 12);
    bench.hear(&reply);
    let first = bench.key.entropy(0, 1);
    assert_eq!(bench.hear(&first), [Did::Entropy([1; 32]), Did::State(State::Running)]);
}

#[test]
fn an_unanswered_retry_of_a_bad_key_is_repeated() {
    let mut bench = Bench::with_a_bad_key();
    let hello = bench.key.reset();
    bench.hear(&hello);
    let mut asked = 0;
    for _ in 0..40 {
        asked += bench.pass(SECOND).iter().filter(|did| **did == Did::NeedNonce).count();
        bench.give_nonce(Some([1; 32]));
        let alive = bench.key.text(*b"I>", "T03000");
        bench.hear(&alive);
    }
    assert!(asked >= 2, "asked {asked} times in 40 s");
}

#[test]
fn a_key_without_a_long_term_key_awaits_a_keyring() {
    let mut bench = Bench::identified();
    assert_eq!(bench.give_nonce(None), [Did::State(State::SerialUnknown)]);
    let asks = bench.key.text(*b"k>", "");
    assert_eq!(bench.hear(&asks), []);
    bench.session.handle_new_keyring(bench.instant());
    assert_eq!(bench.pass(Duration::ZERO), [Did::NeedNonce]);
    let keying = bench.give_nonce(Some(LONG_TERM_KEY));
    assert_eq!(keying, [Did::Write(Command::RekeySession(nonce())), Did::State(State::Keying)]);
}

#[test]
fn an_unexpected_serial_gets_no_session_and_a_retry() {
    let other: Serial = "AAAAAAAAAAAAAAAA".parse().unwrap();
    let mut bench = Bench::expecting(Some(other));
    bench.drain();
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), [Did::State(State::WrongSerial)]);
    let asks = bench.key.text(*b"k>", "");
    assert_eq!(bench.hear(&asks), []);
    bench.pass(4 * SECOND);
    bench.hear(&asks);
    assert_eq!(bench.pass(SECOND), [RESET]);
    bench.key = Key::new(other);
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), [Did::State(State::SerialOk), Did::NeedNonce]);
}

#[test]
fn a_key_may_not_change_its_serial_in_a_session() {
    let mut bench = Bench::running();
    bench.key = Key::new("AAAAAAAAAAAAAAAA".parse().unwrap());
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), [Did::State(State::WrongSerial)]);
}

#[test]
fn badness_stops_entropy_until_the_key_revokes_it() {
    let mut bench = Bench::running();
    let stopped = bench.key.text(*b"I>", "S08052:23751:23792:23584:07112:20876:08063:24150:3");
    assert_eq!(bench.hear(&stopped), [Did::State(State::SelfStopped(Badness::from_code(b'3'))), Did::Info]);
    let late = bench.key.entropy(1, 1);
    assert_eq!(bench.hear(&late), []);
    let well = bench.key.text(*b"I>", "S08052:23751:23792:23584:07112:20876:08063:24150:0");
    assert_eq!(bench.hear(&well), [Did::State(State::SerialOk), Did::NeedNonce, Did::Info]);
}

#[test]
fn neither_silence_nor_a_reset_makes_a_bad_key_good() {
    const BAD: &str = "S08052:23751:23792:23584:07112:20876:08063:24150:1";
    let mut bench = Bench::running();
    let stopped = bench.key.text(*b"I>", BAD);
    bench.hear(&stopped);
    assert_eq!(bench.pass(5 * SECOND), [Did::State(State::Silent), RESET]);
    let late = bench.key.entropy(1, 1);
    assert_eq!(bench.hear(&late), [Did::State(State::SelfStopped(Badness::from_code(b'1')))]);
    let hello = bench.key.reset();
    assert_eq!(bench.hear(&hello), []);
    let asks = bench.key.text(*b"k>", "");
    assert_eq!(bench.hear(&asks), []);
}

#[test]
fn a_key_that_turns_bad_while_keying_gives_no_entropy() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    let stopped = bench.key.text(*b"I>", "S1:1:1:1:1:1:1:1:2");
    assert_eq!(bench.hear(&stopped), [Did::State(State::SelfStopped(Badness::from_code(b'2'))), Did::Info]);
    let reply = bench.key.rekey(LONG_TERM_KEY, 12);
    bench.hear(&reply);
    let entropy = bench.key.entropy(0, 1);
    assert!(!bench.hear(&entropy).contains(&Did::Entropy([1; 32])));
}

#[test]
fn silence_does_not_make_a_wrong_key_the_right_one() {
    let mut bench = Bench::expecting(Some("AAAAAAAAAAAAAAAA".parse().unwrap()));
    bench.drain();
    let hello = bench.key.reset();
    bench.hear(&hello);
    bench.pass(5 * SECOND);
    bench.pass(5 * SECOND);
    assert_eq!(bench.session.state(), State::Silent);
    let asks = bench.key.text(*b"k>", "");
    assert_eq!(bench.hear(&asks), [Did::State(State::WrongSerial)]);
    assert_eq!(bench.hear(&asks), []);
}

#[test]
fn a_later_verified_frame_clears_the_long_term_key() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    let reply = bench.key.rekey(LONG_TERM_KEY, 12);
    bench.hear(&reply);
    let damaged = flipped(bench.key.entropy(0, 1));
    assert_eq!(bench.hear(&damaged.repeat(3)), [Did::State(State::LongTermKeyBad)]);
    let good = bench.key.entropy(1, 1);
    assert_eq!(bench.hear(&good), [Did::Entropy([1; 32]), Did::State(State::Running)]);
}

#[test]
#[cfg_attr(miri, ignore = "too many frames for an interpreter")]
fn a_flood_of_serials_gets_one_session_key_a_second() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    let hello = bench.key.reset();
    let mut asked = 0;
    for _ in 0..40 {
        asked += bench.hear(&hello.repeat(50)).iter().filter(|did| **did == Did::NeedNonce).count();
        bench.give_nonce(Some(LONG_TERM_KEY));
        asked += bench.pass(SECOND / 10).iter().filter(|did| **did == Did::NeedNonce).count();
        bench.give_nonce(Some(LONG_TERM_KEY));
    }
    assert!((3..=5).contains(&asked), "asked {asked} times in 4 s");
}

#[test]
fn generators_bad_stops_a_key_for_an_unstated_reason() {
    let mut bench = Bench::identified();
    bench.give_nonce(Some(LONG_TERM_KEY));
    let bad = bench.key.text(*b"B>", "Generators have gone bad");
    assert_eq!(bench.hear(&bad), [Did::State(State::SelfStopped(Badness::UNSTATED)), Did::Message]);
    let why = bench.key.text(*b"I>", "S1:1:1:1:1:1:1:1:7");
    assert_eq!(bench.hear(&why), [Did::State(State::SelfStopped(Badness::from_code(b'7'))), Did::Info]);
}

#[test]
fn other_types_are_events_and_never_the_end() {
    let mut bench = Bench::running();
    for kind in [*b"W>", *b"l>", *b"M>", *b"X>", *b"z!", *b"\0\0"] {
        let frame = bench.key.text(kind, "whatever");
        assert_eq!(bench.hear(&frame), [Did::Message], "{kind:?}");
    }
    let malformed = bench.key.text(*b"E!", "not base64");
    assert_eq!(bench.hear(&malformed), []);
    let next = bench.key.entropy(1, 1);
    assert_eq!(bench.hear(&next), [Did::Entropy([1; 32])]);
    let counters = bench.session.counters();
    assert_eq!((counters.unknown_input, counters.unexpected, counters.malformed), (1, 5, 1));
}
