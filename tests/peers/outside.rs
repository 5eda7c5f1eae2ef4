//! Captured bytes in third-party programs: they find no fault, and their counts agree with ours.

use std::fs;

use ekey_tests::Scratch;
use ekey_tests::fips::{self, Counting, Fips};
use ekey_tests::outside::{capture, ent, ours, rngtest};

#[test]
fn rngtest_and_ent_agree_with_us_on_good_bytes() {
    let scratch = Scratch::make();
    let file = capture(&scratch, 20_000_004);
    count_alike(&scratch, &fs::read(&file).expect("the captured file"), true);
}

#[test]
fn rngtest_and_ent_agree_with_us_on_bad_bytes() {
    let scratch = Scratch::make();
    let bytes = fs::read(capture(&scratch, 2_500_004)).expect("the captured file");
    // A bias of some per cent towards ones, and long runs: some blocks fail, some do not.
    let bad: Vec<u8> = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| match at % 4999 {
            0..5 => 0xff,
            _ if at % 23 == 0 => byte | 0x41,
            _ => *byte,
        })
        .collect();
    count_alike(&scratch, &bad, false);
}

/// Compares our counts with rngtest's and ent's on the same bytes; rngtest skips the first four.
fn count_alike(scratch: &Scratch, bytes: &[u8], good: bool) {
    let all = scratch.path("all.bin");
    let without_four = scratch.path("without-four.bin");
    fs::write(&all, bytes).expect("a file can be written");
    fs::write(&without_four, &bytes[4..]).expect("a file can be written");

    let theirs = rngtest(&all);
    let mine = ours(&without_four);
    let count = |name: &str| mine["fips"][name].as_u64().expect("a count");
    let tests = ["monobit", "poker", "runs", "long_run"].map(count);
    let expected = Fips { successes: count("blocks") - count("failures"), failures: count("failures"), tests };
    assert_eq!(expected, fips::count(&bytes[4..], Counting::Standard), "ours (left) and the standard's (right)");
    // It errs at the ends of a block, in a way that is known to the bit.
    assert_eq!(
        theirs,
        fips::count(&bytes[4..], Counting::Rngtest),
        "rngtest (left), and what it is known to count (right)"
    );
    assert_eq!(theirs.failures < 20, good, "{theirs:?}");

    let (theirs, mine) = (ent(&all), ours(&all));
    let number = |name: &str| mine[name].as_f64().expect("a number");
    assert_eq!(Some(theirs.bytes), mine["bytes"].as_u64());
    for (name, theirs, mine) in [
        ("entropy", theirs.entropy, number("shannon")),
        ("chi-square", theirs.chi_square, number("chi_square")),
        ("mean", theirs.mean, number("mean")),
        ("serial correlation", theirs.serial_correlation, number("serial_correlation")),
    ] {
        // To the digits that ent prints.
        assert!((theirs - mine).abs() < 1e-6, "{name}: ent says {theirs}, we say {mine}");
    }
    assert_eq!(mine["good"], good, "{mine}");
}
