//! Prints what Debian's rngtest, ent and dieharder say of bytes captured from a software key with a good generator, beside what
//! `ekey-ctl test` says: `cargo run --release -p ekey-tests --bin outside-tests [BYTES]`.
//!
//! Needs the programs built (`cargo build --release --workspace --bins`) and those others unpacked (`tests/run`).

use ekey_tests::Scratch;
use ekey_tests::outside::{capture, dieharder, ent, ours, rngtest};

/// What dieharder's tests read without beginning the file anew.
const BYTES: u64 = 64_000_000;
/// Birthdays, runs, and the monobit, runs and serial tests of NIST's suite: those that such a file is long enough for.
const DIEHARDER: [u32; 4] = [0, 15, 100, 101];

fn main() {
    let bytes = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(BYTES);
    let scratch = Scratch::make();
    let file = capture(&scratch, bytes);
    let ours = ours(&file);
    println!("{bytes} bytes by `ekey-ctl capture` from a daemon with a software key, whose generator is ChaCha20\n");
    println!("| program | test | says |");
    println!("|---|---|---|");
    println!("| ekey-ctl test | health tests that failed | {} |", ours["failed"].as_array().map_or(0, Vec::len));
    println!(
        "| ekey-ctl test | FIPS 140-2, blocks that fail | {} of {} |",
        ours["fips"]["failures"], ours["fips"]["blocks"]
    );
    for (name, key) in [
        ("ones", "ones"),
        ("chi-square", "chi_square"),
        ("serial correlation", "serial_correlation"),
        ("min-entropy, most common value (SP 800-90B 6.3.1)", "min_entropy"),
    ] {
        println!("| ekey-ctl test | {name} | {:.6} |", ours[key].as_f64().unwrap_or(f64::NAN));
    }
    let fips = rngtest(&file);
    println!("| rngtest | FIPS 140-2, blocks that fail | {} of {} |", fips.failures, fips.failures + fips.successes);
    let ent = ent(&file);
    println!("| ent | entropy | {:.6} |", ent.entropy);
    println!("| ent | chi-square | {:.6} |", ent.chi_square);
    println!("| ent | serial correlation | {:.6} |", ent.serial_correlation);
    for test in DIEHARDER {
        for line in dieharder(&file, test) {
            println!("| dieharder | {} | p {:.6}, {} |", line.name, line.p, line.assessment);
        }
    }
}
