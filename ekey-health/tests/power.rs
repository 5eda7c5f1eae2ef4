//! Shows that the tests find each bad source within its stated bytes, wherever in a good stream it begins, and that good data
//! raises no alarm.

mod sources;

use std::collections::BTreeMap;

use ekey_health::{Alpha, Change, Judgement, Monitor, Statistics, Test};
use sources::{Kind, PIECE, Source, bad};

/// Good blocks that take a stream back: the daemon's default.
const GOOD_BLOCKS: u32 = 128;

#[test]
fn the_right_test_finds_each_bad_source_in_time() {
    for (name, kind, most_bytes, tests) in bad() {
        // 12 MiB take long.
        let rounds = if most_bytes > 1 << 20 { 3 } else { 20 };
        for round in 0..rounds {
            let mut monitor = Monitor::new(Alpha::default(), GOOD_BLOCKS);
            // Windows and blocks begin elsewhere.
            let good = 100_000 + round * 7_919;
            let change = run(&mut monitor, &mut Source::new(Kind::Good, round), good, 1024);
            assert_eq!(change, None, "{name}: good data raised an alarm");
            let change = run(&mut monitor, &mut Source::new(kind, 1000 + round), most_bytes, 1024);
            let Some(Change::Retired(alarm)) = change else {
                panic!("{name}, round {round}: not found within {most_bytes} bytes");
            };
            let seen = alarm.test.name();
            assert!(
                tests.contains(&seen),
                "{name}, round {round}: found by {seen}, expected one of {tests:?}: {alarm}"
            );
            assert!(alarm.at_byte >= good && alarm.at_byte < good + most_bytes, "{name}, round {round}: {alarm}");
        }
    }
}

#[test]
fn a_hundred_good_megabytes_raise_no_alarm() {
    good_data_raises_no_alarm(100_000_000);
}

#[test]
#[ignore = "takes ten seconds: cargo test --release -p ekey-health --test power -- --ignored"]
fn a_good_gigabyte_raises_no_alarm() {
    good_data_raises_no_alarm(1_000_000_000);
}

#[test]
fn the_run_of_good_blocks_takes_a_stream_back() {
    let mut monitor = Monitor::new(Alpha::default(), GOOD_BLOCKS);
    let mut good = Source::new(Kind::Good, 1);
    assert_eq!(run(&mut monitor, &mut good, 50_000, 32), None);
    assert!(matches!(run(&mut monitor, &mut Source::new(Kind::Constant, 1), 32, 32), Some(Change::Retired(_))));
    let mut aside = 0;
    let change = loop {
        let judgement = judge_next(&mut monitor, &mut good, 32);
        aside += 32;
        assert!(!judgement.fit, "used after {aside} bytes");
        if judgement.change.is_some() {
            break judgement.change;
        }
    };
    assert_eq!(change, Some(Change::Readmitted));
    let expected = u64::from(GOOD_BLOCKS) * 2500;
    // The block with the constant in it counts or fails.
    assert!(
        (expected - 2_500..expected + 2_500).contains(&aside),
        "readmitted after {aside} bytes, expected {expected}"
    );
    assert_eq!(judge_next(&mut monitor, &mut good, 32), Judgement { fit: true, change: None });
}

#[test]
fn a_failure_on_the_way_back_restarts_the_run() {
    let mut monitor = Monitor::new(Alpha::default(), GOOD_BLOCKS);
    let mut good = Source::new(Kind::Good, 1);
    let mut constant = Source::new(Kind::Constant, 1);
    run(&mut monitor, &mut constant, 32, 32);
    assert_eq!(run(&mut monitor, &mut good, 300_000, 32), None);
    assert!(monitor.retirement().is_some_and(|retirement| retirement.good_blocks >= 118), "{:?}", monitor.retirement());
    assert_eq!(run(&mut monitor, &mut constant, 32, 32), None, "it is aside already");
    assert_eq!(monitor.retirement().map(|retirement| retirement.good_blocks), Some(0));
    assert_eq!(monitor.failures(Test::RepetitionCount), 2);
    assert_eq!(run(&mut monitor, &mut good, 300_000, 32), None, "the run is not complete");
    assert_eq!(run(&mut monitor, &mut good, 30_000, 32), Some(Change::Readmitted));
}

#[test]
fn a_bad_source_is_never_readmitted() {
    for (name, kind, most_bytes, _) in bad() {
        let mut monitor = Monitor::new(Alpha::default(), GOOD_BLOCKS);
        let mut source = Source::new(kind, 5);
        let bytes = 2 * most_bytes + 4_000_000;
        let mut changes = BTreeMap::new();
        for _ in 0..bytes / PIECE as u64 {
            match judge_next(&mut monitor, &mut source, PIECE).change {
                Some(Change::Retired(_)) => *changes.entry("retired").or_insert(0) += 1,
                Some(Change::Readmitted) => *changes.entry("readmitted").or_insert(0) += 1,
                None => {}
            }
        }
        assert_eq!(changes, BTreeMap::from([("retired", 1)]), "{name}");
    }
}

#[test]
fn statistics_tell_good_data_from_bad() {
    for (kind, is_good) in
        [(Kind::Good, true), (Kind::Biased(5), false), (Kind::HalfTheBits, false), (Kind::BytesTwice, false)]
    {
        let mut source = Source::new(kind, 9);
        let mut statistics = Statistics::default();
        let mut bytes = vec![0; 1_000_000];
        source.fill(&mut bytes);
        statistics.feed(&bytes);
        let summary = statistics.summary().expect("enough bytes");
        let least = summary.ones_p.min(summary.chi_square_p).min(summary.serial_correlation_p);
        assert_eq!(least > 1e-6, is_good, "{kind:?} gives {summary:?}");
        let entropy = if kind == Kind::HalfTheBits { 3.9..4.0 } else { 7.7..7.95 };
        assert!(entropy.contains(&summary.min_entropy), "{kind:?}: {summary:?}");
    }
}

fn good_data_raises_no_alarm(bytes: u64) {
    let mut monitor = Monitor::new(Alpha::default(), GOOD_BLOCKS);
    let change = run(&mut monitor, &mut Source::new(Kind::Good, 2026), bytes, PIECE);
    assert_eq!(change, None, "over {bytes} bytes");
    let (blocks, failed) = monitor.fips_blocks();
    let rate = failed as f64 / blocks as f64;
    // The cut-off of the ratio test assumes 1 in 1,000.
    assert!((0.0004..0.001).contains(&rate), "{failed} of {blocks} good blocks fail FIPS 140-2: {rate:.6}");
}

/// Judges this many bytes in pieces. Returns the first change, and stops there.
fn run(monitor: &mut Monitor, source: &mut Source, bytes: u64, piece: usize) -> Option<Change> {
    let mut first = None;
    let mut left = bytes;
    while left > 0 && first.is_none() {
        let piece = piece.min(usize::try_from(left).unwrap_or(usize::MAX));
        first = judge_next(monitor, source, piece).change;
        left -= piece as u64;
    }
    first
}

fn judge_next(monitor: &mut Monitor, source: &mut Source, bytes: usize) -> Judgement {
    let mut buffer = [0; PIECE];
    source.fill(&mut buffer[..bytes]);
    monitor.judge(&buffer[..bytes])
}
