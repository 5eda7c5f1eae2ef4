//! Floods: each frame of a hostile key verifies.

use super::*;
use crate::FloodKind;

fn flooding(kind: &str) -> Host {
    Host::of(Setup { flood: Some(kind.parse().expect("a flood")), ..setup() })
}

#[test]
fn a_flood_never_ends_and_each_frame_verifies() {
    // This host believes an answer that it never asked for, and reads nothing unknown or malformed.
    let readable = |kind: &&str| !["session-answer", "unknown", "malformed", "all"].contains(kind);
    for kind in FloodKind::names().into_iter().filter(readable) {
        let mut host = flooding(kind);
        let heard = host.say(b"\x03");
        assert!(heard.len() > 60, "{kind}: {heard:?}");
        assert!(!heard.iter().any(|heard| matches!(heard, Heard::Wrong(_))), "{kind}: {heard:?}");
        assert_eq!(host.key.next_output(), Some(Duration::ZERO), "{kind}");
    }
}

#[test]
fn a_flood_of_serials_names_two_keys_in_turn() {
    let mut host = flooding("serials");
    let serials: Vec<_> = host.say(b"\x03").split_off(1);
    assert_ne!(serials[0], serials[1]);
    assert!(serials.iter().step_by(2).all(|heard| *heard == serials[0]), "{serials:?}");
}

#[test]
fn a_delayed_flood_has_a_session_key() {
    let mut host = flooding("generators-bad:100");
    assert!(host.entropy(100).len() >= 100);
    let heard = [host.hear(), host.hear()].concat();
    assert!(heard.ends_with(&[Heard::GoneBad, Heard::GoneBad]), "{heard:?}");
}

#[test]
fn a_flood_of_all_kinds_has_each_of_them() {
    let mut host = flooding("all");
    let bytes = host.take();
    for kind in ["S!", "k>", "I>", "B>", "W>", "M>", "l>", "K!", "L!", "E!", "X>"] {
        let is_there = bytes.chunks(64).any(|frame| frame[2..].starts_with(kind.as_bytes()));
        assert!(is_there, "{kind}");
    }
}
