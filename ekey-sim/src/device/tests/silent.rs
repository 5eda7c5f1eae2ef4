//! Wedges: which step revives a hung key, and that no other step does.

use super::*;

const STEPS: [Revival; 4] = [Revival::Reopen, Revival::UsbReset, Revival::ReEnumeration, Revival::Replug];

fn wedged(kind: &str) -> Host {
    Host::of(Setup { wedge: Some(kind.parse().expect("a wedge")), ..setup() })
}

/// Returns whether the key ignores everything that a host can send except `^C`.
fn is_dead(host: &mut Host) -> bool {
    host.wait(seconds(3));
    host.key.next_output().is_none() && host.say(b"RK.e").is_empty()
}

#[test]
fn a_wedged_key_is_silent_until_its_step() {
    for (at, (kind, needed)) in
        ["until-reopen", "until-usb-reset", "until-re-enumeration", "until-replug"].iter().zip(STEPS).enumerate()
    {
        let mut host = wedged(kind);
        assert!(is_dead(&mut host), "{kind}");
        assert_eq!(host.say(b"\x03"), [], "{kind}: ^C does not revive it");
        for milder in &STEPS[..at] {
            host.key.handle_revival(host.now, *milder);
            assert!(is_dead(&mut host), "{kind}: {milder:?} does not revive it");
        }
        host.key.handle_revival(host.now, needed);
        let serial = *host.key.serial();
        assert_eq!(host.say(b"\x03")[0], Heard::Serial(serial), "{kind}: revived");
        assert!(host.entropy(500).len() >= 500);
    }
}

#[test]
fn reopening_does_not_revive_until_ctrl_c() {
    let mut host = wedged("until-ctrl-c");
    host.key.handle_revival(host.now, Revival::Reopen);
    assert!(is_dead(&mut host));
    let serial = *host.key.serial();
    assert_eq!(host.say(b"ee\x03")[0], Heard::Serial(serial), "it does not hear what comes before ^C");
    assert!(host.entropy(500).len() >= 500);
}

#[test]
fn a_delayed_wedge_begins_once() {
    let mut host = wedged("until-ctrl-c:100");
    assert_eq!(host.entropy(100).len(), 100);
    assert!(is_dead(&mut host));
    host.say(b"\x03");
    assert!(host.entropy(1000).len() >= 1000);
}

#[test]
fn a_session_survives_a_wedge_without_a_reset() {
    let mut host = wedged("until-reopen:100");
    assert_eq!(host.entropy(100).last().map(|(sequence, _)| *sequence), Some(99));
    assert!(is_dead(&mut host));
    host.key.handle_revival(host.now, Revival::Reopen);
    assert_eq!(host.entropy(1)[0].0, 100, "it continues where it stopped");
}
