//! A key whose generators go bad unnoticed is retired by the right test and in time; none of its bytes is served from
//! then on, and a good run readmits it.

use std::fs;

use ekey_tests::books::{OnTheWay, assert_books_add_up};
use ekey_tests::serving::{started, writing};
use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until, blocks};

/// Bytes of the key's blocks of 78 frames.
const BLOCK: u64 = 78 * 32;
/// The largest batch that a key's thread passes on: bytes are judged by the batch.
const BATCH: u64 = 8192;
/// The first bad block.
const FROM: u64 = 100;
/// The key's bytes follow from this seed, so that no result is chance: with random bytes the test would miss the bias
/// of one per cent once in 6,000 runs. (ekey-health/tests/power.rs tries the health tests with many seeds.)
const SEED: u32 = 1;
/// A third key next to the harness's two.
const THIRD_SERIAL: &str = "Nw/vBlg3+TBJORFF";

#[test]
fn repetition_count_retires_a_constant_source() {
    is_retired_by("constant", &["repetition-count"], 6);
}

#[test]
fn a_source_stuck_at_a_period_is_retired() {
    is_retired_by("stuck", &["period", "adaptive-proportion", "replay"], 1024);
}

#[test]
fn adaptive_proportion_retires_half_the_bits() {
    is_retired_by("half", &["adaptive-proportion"], 2048);
}

#[test]
fn a_replay_is_retired() {
    is_retired_by("replay", &["replay"], 20_000);
}

#[test]
fn the_bias_test_retires_a_bias_of_one_per_cent() {
    is_retired_by("biased", &["bias", "fips-ratio"], 320_000);
}

#[test]
fn a_bad_key_of_three_costs_only_its_own_bytes() {
    let scratch = Scratch::make();
    let bad = KeyPlan::named("bad").seed(SEED).rate(2000).bad_source("biased");
    let second = KeyPlan::named("second").rate(2000).identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY);
    let third = KeyPlan::named("third").rate(2000).identity(THIRD_SERIAL, SECOND_LONG_TERM_KEY);
    let plans = [&bad, &second, &third];
    let keys = plans.map(|plan| plan.plug_in(&scratch));
    let plan = plans.iter().zip(&keys).fold(DaemonPlan::default(), |daemon, (plan, key)| daemon.key(plan, key));
    let daemon = plan.start(&scratch);
    let status = await_until("the bad key to be retired", || {
        let status = daemon.status(&scratch);
        (status.keys() == 3 && status.key(0).failed_test().is_some()).then_some(status)
    });
    let (received, held) = (status.count("/pool/received_bytes"), status.count("/pool/bytes"));
    let (wiped, overflowed) = (status.count("/pool/wiped_bytes"), status.count("/pool/overflowed_bytes"));
    assert_eq!((held + wiped, overflowed), (received, 0), "nothing takes bytes here, and they all fit: {status}");
    let own = status.key(0).books("handed_bytes");
    assert!(wiped > 0 && wiped <= own, "{wiped} bytes are wiped, and the bad key gave {own}: {status}");
}

#[test]
fn a_good_run_readmits_a_retired_key() {
    let ((scratch, key, mut daemon), output) =
        writing(&KeyPlan::named("key").seed(SEED).bad_source("half:100-120"), None, |daemon| daemon);
    let status = await_until("the key to be readmitted", || {
        let status = daemon.status(&scratch);
        (status.key(0).health("times_put_aside") > 0 && status.key(0).failed_test().is_none()).then_some(status)
    });
    assert_eq!((status.code(), status.key(0).health("times_put_aside")), (Some(0), 1), "{status}");
    let aside = status.key(0).books("put_aside_bytes");
    // 20 bad blocks and the run of 128 blocks of 2,500 bytes; the run restarts while bad blocks weigh in a window of
    // the bias test.
    let expected = 20 * BLOCK + 128 * 2500;
    assert!(
        (expected - 5_000..expected + 160_000 + 2 * BATCH).contains(&aside),
        "{aside} bytes were discarded, expected about {expected}: {status}"
    );
    // New bytes are served again.
    let blocks = blocks::blocks_in(&output);
    daemon.await_blocks(&output, blocks + 1000);
    daemon.program.kill();
    blocks::assert_in_order(&output, &key.plain_log);
    let log = daemon.program.stderr();
    for (words, expected) in
        [("retired, its entropy is no longer handed out", 1), ("readmitted after 128 good blocks", 1)]
    {
        assert_eq!(log.matches(words).count(), expected, "{words:?} in the log:\n{log}");
    }
}

#[test]
fn falling_estimates_are_reported_early() {
    let (scratch, _key, daemon) = started(&KeyPlan::named("key").rate(126).fading(), DaemonPlan::egd);
    let status = await_until("a warning", || {
        let status = daemon.status(&scratch);
        (!status.key(0).warnings().is_empty()).then_some(status)
    });
    let warning = status.key(0).warnings().join(" ");
    assert!(warning.contains("the left generator has fallen from 2.9"), "{warning}");
    assert_eq!((status.key(0).state(), status.code()), ("running", Some(0)), "it is still used: {status}");
    let human = daemon.ctl(&scratch, &["status"]).words().replace('\n', " ");
    assert!(human.contains("it may stop itself soon"), "{human}");
}

#[test]
fn disabled_tests_retire_no_key() {
    let ((scratch, _key, mut daemon), output) =
        writing(&KeyPlan::named("key").seed(SEED).bad_source("constant:1"), Some(5000), |daemon| {
            daemon.extra("[health]\nenabled = false\n")
        });
    daemon.await_blocks(&output, 5000);
    let status = daemon.status(&scratch);
    assert!(status.root()["keys"][0]["health"].is_null(), "{status}");
    assert_books_add_up(&status, OnTheWay::Some);
}

/// Checks that one of `tests` retires the key within `bytes` of going bad, and that the output ends there.
fn is_retired_by(source: &str, tests: &[&str], bytes: u64) {
    let ((scratch, key, daemon), output) =
        writing(&KeyPlan::named("key").seed(SEED).bad_source(&format!("{source}:{FROM}")), None, DaemonPlan::egd);
    let status = await_until("the key to be retired", || {
        let status = daemon.status(&scratch);
        status.key(0).failed_test().is_some().then_some(status)
    });
    let key_status = status.key(0);
    let test = key_status.failed_test().expect("a test");
    assert!(tests.contains(&test), "{source} was found by {test}, expected one of {tests:?}: {status}");
    let at = key_status.health("put_aside/at_byte");
    let bad_from = FROM * BLOCK;
    assert!((bad_from..bad_from + bytes).contains(&at), "{source} was found at byte {at}, bad from {bad_from} on");
    assert_eq!((key_status.state(), status.code()), ("running", Some(2)), "it runs and serves nothing: {status}");
    let human = daemon.ctl(&scratch, &["status"]).words().replace('\n', " ");
    assert!(human.contains(&format!("{test} test failed")) && human.contains("not handed out"), "{human}");

    // Much more arrives, and none of it is served.
    let handed = key_status.books("handed_bytes");
    let more = key_status.books("verified_bytes") + 1_000_000;
    let status = await_until("another megabyte", || {
        let status = daemon.status(&scratch);
        (status.key(0).books("verified_bytes") > more).then_some(status)
    });
    assert_eq!(status.key(0).books("handed_bytes"), handed, "{status}");
    assert!(handed <= at && handed + BATCH > at, "{handed} bytes were passed on, the test failed at {at}");
    assert!(status.root()["books"]["aside_dropped_bytes"].as_u64() > Some(1_000_000), "{status}");
    assert_books_add_up(&status, OnTheWay::Some);
    let written = fs::metadata(&output).expect("the output").len();
    assert!(written <= handed, "{written} bytes were written of {handed}");
    blocks::assert_prefix(&output, &key.plain_log, 0);
}
