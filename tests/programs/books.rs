//! The books add up at every moment: under every fault of the key, when it vanishes and returns, when it is removed and
//! added, and when readers leave.

use std::time::Duration;

use ekey_tests::await_until::assert_stays;
use ekey_tests::books::{OnTheWay, add_up, assert_books_add_up};
use ekey_tests::control::ControlClient;
use ekey_tests::egd::EgdClient;
use ekey_tests::serving::started;
use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, await_until, binaries};

/// How long each fault is watched.
const WATCHED: Duration = Duration::from_millis(1500);

const FAULTS: [&str; 12] = [
    "flip:50",
    "drop:50",
    "replay:50",
    "old-session:50",
    "noise:50",
    "truncate:50",
    "gap:50",
    "badness:5000",
    "wrong-serial:1",
    "ltk-mismatch:2",
    "stall:500",
    "boast:5",
];
const WEDGES: [&str; 5] =
    ["until-ctrl-c:500", "until-reopen:500", "until-usb-reset:500", "until-re-enumeration:500", "until-replug:500"];
const SOURCES: [&str; 5] = ["constant:40", "half:40-45", "stuck:40", "replay:40", "biased:10"];

#[test]
fn they_add_up_under_every_fault_of_the_key() {
    FAULTS.iter().for_each(|fault| watch(&KeyPlan::named("key").fault(fault), fault));
}

#[test]
fn they_add_up_when_the_key_hangs() {
    WEDGES.iter().for_each(|wedge| watch(&KeyPlan::named("key").wedge(wedge), wedge));
}

#[test]
fn they_add_up_when_the_source_goes_bad_and_recovers() {
    SOURCES.iter().for_each(|source| watch(&KeyPlan::named("key").bad_source(source), source));
}

#[test]
fn these_tests_cover_every_fault_of_the_software_key() {
    let help = binaries::command("ekey-sim").arg("--help").output().expect("it can be run");
    let help = String::from_utf8_lossy(&help.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    for (begin, end, watched) in [
        ("once in EVERY frames or answers: ", ";", &FAULTS[..]),
        ("Hang ", ":", &WEDGES[..]),
        ("Replace the noise with ", ", without", &SOURCES[..]),
    ] {
        let list = help.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).expect("the help lists them").0;
        let mut expected: Vec<&str> = list.split([',', ' ']).filter(|word| !["", "or"].contains(word)).collect();
        let mut seen: Vec<&str> = watched.iter().filter_map(|entry| entry.split(':').next()).collect();
        expected.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, expected, "watched (left) and known to the software key (right)");
    }
}

#[test]
fn they_add_up_to_the_byte_when_the_key_returns() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key");
    let output = scratch.path("entropy");
    let mut key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).file(&output, None).egd().start(&scratch);
    for _ in 0..4 {
        daemon.await_state(&scratch, "running");
        look_for(&daemon, &scratch, Duration::from_millis(300));
        key.program.kill();
        let status = daemon.await_state(&scratch, "gone");
        assert_books_add_up(&status, OnTheWay::Some);
        await_nothing_on_the_way(&daemon, &scratch);
        key = plan.plug_in(&scratch);
    }
}

#[test]
fn they_add_up_when_keys_are_removed_and_added() {
    let (scratch, key, mut daemon) = started(&KeyPlan::named("key"), DaemonPlan::egd);
    let mut control = ControlClient::connect(&daemon.control).expect("the control socket greets");
    let path = key.path.display().to_string();
    for _ in 0..5 {
        daemon.await_state(&scratch, "running");
        look_for(&daemon, &scratch, Duration::from_millis(200));
        let reply = control.say(&format!("RemoveEntropyKey(\"{path}\")")).expect("an answer");
        assert!(reply.ok(), "{reply:?}");
        await_nothing_on_the_way(&daemon, &scratch);
        let status = daemon.status(&scratch);
        let departed = status.root()["books"]["departed_keys"]["verified_bytes"].as_u64();
        assert!(departed > Some(0), "the removed key's bytes are in no book: {status}");
        let reply = control.say(&format!("AddEntropyKey(\"{path}\")")).expect("an answer");
        assert!(reply.ok(), "{reply:?}");
    }
}

#[test]
fn they_add_up_when_readers_leave_early() {
    let (scratch, _key, daemon) = started(&KeyPlan::named("key"), DaemonPlan::egd);
    await_until("entropy", || (daemon.status(&scratch).key(0).books("handed_bytes") > 200_000).then_some(()));
    for _ in 0..20 {
        // Asks for far more than a socket holds, reads a little of it, and leaves.
        let mut client = EgdClient::connect(&daemon.egd).expect("an EGD server");
        client.ask_without_reading(2000).expect("to ask");
        client.take(255).expect("some bytes");
        assert_books_add_up(&daemon.status(&scratch), OnTheWay::Some);
    }
    let status = await_until("the clients to leave", || {
        let status = daemon.status(&scratch);
        (status.root()["egd"][0]["clients"] == 0).then_some(status)
    });
    assert_books_add_up(&status, OnTheWay::Some);
    let egd = &status.root()["egd"][0];
    assert_eq!(egd["waiting_bytes"], 0, "{status}");
    assert!(egd["dropped_bytes"].as_u64() > Some(0) && egd["sent_bytes"].as_u64() > Some(0), "{status}");
}

#[test]
fn they_add_up_when_a_combined_key_goes_bad() {
    let scratch = Scratch::make();
    let good = KeyPlan::named("good");
    let bad = KeyPlan::named("bad").identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY).bad_source("constant:60");
    let (good_key, bad_key) = (good.plug_in(&scratch), bad.plug_in(&scratch));
    let output = scratch.path("entropy");
    let daemon = DaemonPlan::default()
        .key(&good, &good_key)
        .key(&bad, &bad_key)
        .egd()
        .egd_lines("combine = true")
        .file(&output, None)
        .start(&scratch);
    let mut client = EgdClient::connect(&daemon.egd).expect("an EGD server");
    client.take(255).expect("bytes of both");
    look_for(&daemon, &scratch, WATCHED);
    let status = await_until("the bad key to be retired", || {
        let status = daemon.status(&scratch);
        status.key(1).failed_test().is_some().then_some(status)
    });
    assert_eq!(status.root()["combine"]["running_keys"], 1, "a retired key does not count: {status}");
    look_for(&daemon, &scratch, Duration::from_millis(300));
}

#[test]
fn they_add_up_when_the_disk_is_full() {
    let (scratch, _key, daemon) =
        started(&KeyPlan::named("key"), |daemon| daemon.file("/dev/full".as_ref(), None).egd());
    let status = await_until("the file to stop", || {
        let status = daemon.status(&scratch);
        status.root()["file"]["stopped"].is_string().then_some(status)
    });
    assert_books_add_up(&status, OnTheWay::Some);
    assert!(status.root()["file"]["dropped_bytes"].as_u64() > Some(0), "{status}");
    look_for(&daemon, &scratch, Duration::from_millis(300));
}

/// Checks the books of a daemon with such a key and all outputs but the kernel again and again.
fn watch(plan: &KeyPlan, what: &str) {
    let scratch = Scratch::make();
    let key = plan.plug_in(&scratch);
    let output = scratch.path("entropy");
    let daemon = DaemonPlan::default().key(plan, &key).file(&output, None).egd().start(&scratch);
    let looks = look_for(&daemon, &scratch, WATCHED);
    assert!(looks > 0, "no look under {what}");
    // The tool checks the sums itself and would show an error.
    let human = daemon.ctl(&scratch, &["status"]).words();
    assert!(!human.contains("books"), "under {what}: {human}");
}

fn look_for(daemon: &Daemon, scratch: &Scratch, time: Duration) -> usize {
    let mut looks = 0;
    assert_stays(time, || {
        looks += 1;
        add_up(&daemon.status(scratch), OnTheWay::Some)
    });
    looks
}

fn await_nothing_on_the_way(daemon: &Daemon, scratch: &Scratch) {
    let handed = |status: &ekey_tests::Status| {
        let root = status.root();
        let keys = root["keys"].as_array().expect("keys").iter().map(|key| &key["books"]);
        let keys = keys.chain([&root["books"]["departed_keys"]]);
        let handed: u64 = keys.filter_map(|key| key["handed_bytes"].as_u64()).sum();
        (handed, root["pool"]["received_bytes"].as_u64().unwrap_or_default())
    };
    let status = await_until("the bytes in flight", || {
        let status = daemon.status(scratch);
        let (handed, received) = handed(&status);
        (handed == received).then_some(status)
    });
    assert_books_add_up(&status, OnTheWay::Nothing);
}
