//! `ekey-ctl capacity` predicts how a crowd at a real daemon fares.

use std::time::Duration;

use ekey_tests::load::{Habit, Load};
use ekey_tests::serving::started;
use ekey_tests::{Daemon, KeyPlan, Scratch, Status, await_until};

/// Frames a second: 16,000 bytes.
const RATE: u32 = 500;

#[test]
fn a_crowd_that_asks_for_three_times_the_supply_waits() {
    let (scratch, daemon, _key) = serving();
    let answer = ask(&daemon, &scratch, &["--clients", "100:burst:120/0.25s", "--supply", "16000", "--hours", "0.01"]);
    assert_eq!(answer.at("/enough"), false, "{answer}");
    assert!(answer.at("/keys_needed").as_u64() >= Some(3), "48 kB/s are asked for, of 16 kB/s: {answer}");
    let waits = ["p50", "p95"].map(|name| answer.at(&format!("/waits_s/{name}")).as_f64());
    assert!(waits[0] > Some(0.0) && waits[1] > waits[0], "{answer}");
}

#[test]
fn a_crowd_that_asks_for_half_of_the_supply_is_served() {
    let (scratch, daemon, _key) = serving();
    let answer = ask(&daemon, &scratch, &["--clients", "20:burst:100/0.25s", "--supply", "16000", "--hours", "0.01"]);
    assert_eq!((answer.code(), answer.at("/enough")), (Some(0), &true.into()), "{answer}");
    assert_eq!(answer.at("/pool/capacity"), 16_384, "the daemon's own pool: {answer}");
    let habit = Habit::at_intervals(100, Duration::from_millis(250));
    let measured = Load::new().with(20, habit, &daemon.egd).run_until_all_are_served();
    assert!(measured.is_flawless(), "{measured:?}");
    // The daemon's own record agrees.
    let seen = await_until("the record", || {
        let seen = ask(&daemon, &scratch, &[]);
        (seen.code() == Some(0)).then_some(seen)
    });
    assert!(seen.at("/to_clients_bytes").as_u64() >= Some(measured.bytes.iter().sum()), "{seen}");
}

#[test]
fn clients_that_wait_now_are_counted() {
    let (scratch, daemon, _key) = serving();
    let mut load = Load::new().with(20, Habit::greedy(), &daemon.egd);
    let seen = await_until("the greedy to wait", || {
        let _ = load.run_for(Duration::from_millis(100));
        let seen = ask(&daemon, &scratch, &[]);
        (seen.code() == Some(1)).then_some(seen)
    });
    assert!(seen.at("/verdict").as_str().is_some_and(|words| words.contains("Not enough at this moment")), "{seen}");
}

/// Starts a daemon with one key and a small pool that holds something.
fn serving() -> (Scratch, Daemon, ekey_tests::SoftwareKey) {
    let (scratch, key, daemon) = started(&KeyPlan::named("key").rate(RATE), |daemon| daemon.egd().pool(16_384));
    await_until("the pool to fill", || (daemon.status(&scratch).count("/pool/bytes") > 10_000).then_some(()));
    (scratch, daemon, key)
}

fn ask(daemon: &Daemon, scratch: &Scratch, more: &[&str]) -> Status {
    Status::of(&daemon.ctl(scratch, &[&["capacity", "--json"], more].concat()))
}
