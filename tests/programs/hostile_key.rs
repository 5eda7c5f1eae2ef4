//! A hostile key that floods the daemon with valid frames: before a session, which takes no secret, and in one.

use std::collections::BTreeMap;

use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, SoftwareKey, Status, await_until};

/// As `ekey-sim --flood` names them. With `:200`, they begin in a session.
const KINDS: [&str; 15] = [
    "serial",
    "serials",
    "need-key",
    "information",
    "badness",
    "generators-bad",
    "unknown-input",
    "unlocked",
    "refused",
    "session-answer",
    "long-term-answer",
    "entropy",
    "unknown",
    "malformed",
    "all",
];
/// Lines of the log that one key may cause in a minute.
const MOST_LINES: usize = 10;
/// Bytes of a flood: many times what is read before the first pause.
const MANY: u64 = 50_000;

#[test]
fn a_flood_before_a_session_costs_ten_lines() {
    for kind in KINDS {
        let status = flood(kind, |daemon, _, key| daemon.unknown_key(key));
        assert_eq!(status.at("/keys/1/unverified"), true, "{kind}: {status}");
    }
}

#[test]
fn a_flood_by_a_known_key_costs_ten_lines() {
    for kind in KINDS {
        flood(kind, DaemonPlan::key);
        flood(&format!("{kind}:200"), DaemonPlan::key);
    }
}

/// Runs a daemon with a good key and one that floods it, until it has read much of the flood and the good key has gone on.
/// Returns the status at that time.
fn flood(kind: &str, add: impl Fn(DaemonPlan, &KeyPlan, &SoftwareKey) -> DaemonPlan) -> Status {
    let scratch = Scratch::make();
    let good = KeyPlan::named("good").rate(126);
    let plan = KeyPlan::named("hostile").identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY).flood(kind);
    let (good_key, flooding) = (good.plug_in(&scratch), plan.plug_in(&scratch));
    let mut daemon = add(DaemonPlan::default().key(&good, &good_key), &plan, &flooding).start(&scratch);
    daemon.await_state(&scratch, "running");
    let before = daemon.status(&scratch).key(0).frames("ok");
    let status = await_until(&format!("a flood of {kind}"), || {
        let status = daemon.status(&scratch);
        let has_gone_on = status.key(0).frames("ok") > before + 126;
        (status.count("/keys/1/bytes_read") > MANY && has_gone_on).then_some(status)
    });
    assert_eq!((status.key(0).state(), status.at("/keys/0/unverified")), ("running", &false.into()), "{status}");
    for (minute, lines) in lines_by_minute(&daemon, &flooding) {
        assert!(lines.len() <= MOST_LINES, "{kind}, {} lines at {minute}: {lines:#?}", lines.len());
    }
    assert!(!daemon.program.stderr().contains("panicked"), "{}", daemon.program.stderr());
    status
}

/// Returns the lines of the log that name this key, by the minute that they state.
fn lines_by_minute(daemon: &Daemon, key: &SoftwareKey) -> BTreeMap<String, Vec<String>> {
    const MINUTE: usize = "2026-11-27T08:49".len();
    let path = key.path.display().to_string();
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in daemon.program.stderr().lines().filter(|line| line.contains(&path)) {
        lines.entry(line[..MINUTE].to_owned()).or_default().push(line.to_owned());
    }
    assert!(!lines.is_empty(), "no line names {path}");
    lines
}
