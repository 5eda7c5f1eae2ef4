//! Wedges: which step revives a key that hangs, and that nothing else does.

use super::*;

const STEPS: [Revival; 4] = [Revival::Reopen, Revival::UsbReset, Revival::ReEnumeration, Revival::Replug];

fn wedged(kind: &str) -> Host {
    Host::of(Setup { wedge: Some(kind.parse().expect("a wedge")), ..setup() })
}

/// Everything that a host can do short of `^C`.
fn is_dead(host: &mut Host) -> bool {
    host.wait(seconds(3));
    host.key.next_output().is_none() && host.say(b"RK.e").is_empty()
}

#[test]
fn a_wedged_key_is_silent_until_the_step_that_it_waits_for() {
    for (at, (kind, needed)) in
        ["until-reopen", "until-usb-reset", "until-re-enumeration", "until-replug"].iter().zip(STEPS).enumerate()
    {
        let mut host = wedged(kind);
        assert!(is_dead(&mut host), "{kind}");
        assert_eq!(host.say(b"\x03"), [], "{kind}: ^C does not do");
        for milder in &STEPS[..at] {
            host.key.handle_revival(host.now, *milder);
            assert!(is_dead(&mut host), "{kind}: {milder:?} does not do");
        }
        host.key.handle_revival(host.now, needed);
        let serial = *host.key.serial();
        assert_eq!(host.say(b"\x03")[0], Heard::Serial(serial), "{kind}: revived");
        assert!(host.entropy(500).len() >= 500);
    }
}

#[test]
fn a_key_that_waits_for_ctrl_c_is_not_revived_by_reopening() {
    let mut host = wedged("until-ctrl-c");
    host.key.handle_revival(host.now, Revival::Reopen);
    assert!(is_dead(&mut host));
    let serial = *host.key.serial();
    assert_eq!(host.say(b"ee\x03")[0], Heard::Serial(serial), "what came before ^C was not heard");
    assert!(host.entropy(500).len() >= 500);
}

#[test]
fn a_wedge_may_begin_later_and_begins_once() {
    let mut host = wedged("until-ctrl-c:100");
    assert_eq!(host.entropy(100).len(), 100);
    assert!(is_dead(&mut host));
    host.say(b"\x03");
    assert!(host.entropy(1000).len() >= 1000);
}

#[test]
fn a_session_outlives_a_wedge_that_is_not_reset() {
    let mut host = wedged("until-reopen:100");
    assert_eq!(host.entropy(100).last().map(|(sequence, _)| *sequence), Some(99));
    assert!(is_dead(&mut host));
    host.key.handle_revival(host.now, Revival::Reopen);
    assert_eq!(host.entropy(1)[0].0, 100, "it goes on where it was");
}
