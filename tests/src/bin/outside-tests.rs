//! Prints what Debian's rngtest, ent and dieharder say of bytes captured from a software key with a good generator, and
//! NIST's estimator of min-entropy where it is built, next to what `ekey-ctl test` says:
//! `cargo run --release -p ekey-tests --bin outside-tests [--bytes N | --file FILE] [--ea-non-iid PROGRAM]`.
//! `--file` reads your own file instead, such as one that `ekey-ctl capture` has made from a real key.
//!
//! Needs the programs built (`cargo build --release --workspace --bins`) and Debian's unpacked (`tests/run`). `make
//! non_iid` in the folder `cpp` of <https://github.com/usnistgov/SP800-90B_EntropyAssessment> makes NIST's
//! `ea_non_iid`. Exits with 1 if anything has failed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ekey_tests::Scratch;
use ekey_tests::outside::{DieHarder, capture, dieharder, ent, estimator, ours, rngtest};

/// Enough for the tests below, each with its hundred samples.
const BYTES: u64 = 1_000_000_000;
/// The tests of `dieharder -a` that a gigabyte suffices for, each with the numbers of its family. The others need 1.3
/// to 230 gigabytes, or minutes each. One that dieharder itself advises against is left out.
const DIEHARDER: &[(u32, &[u32])] = &[
    (0, &[]),
    (1, &[]),
    (2, &[]),
    (3, &[]),
    (4, &[]),
    (5, &[]),
    (6, &[]),
    (7, &[]),
    (8, &[]),
    (9, &[]),
    (10, &[]),
    (11, &[]),
    (12, &[]),
    (15, &[]),
    (16, &[]),
    (100, &[]),
    (101, &[]),
    (102, &[]),
    (201, &[2, 3, 4, 5]),
    (204, &[]),
    (206, &[]),
];
/// dieharder calls a p weak that is this near 0 or 1.
const WEAK: f64 = 0.005;

fn main() -> ExitCode {
    let Asked { bytes, file, program } = match arguments() {
        Ok(asked) => asked,
        Err(problem) => {
            eprintln!("{problem}; usage: outside-tests [--bytes N | --file FILE] [--ea-non-iid PROGRAM]");
            return ExitCode::from(64);
        }
    };
    let scratch = Scratch::make();
    let file = file.unwrap_or_else(|| {
        println!(
            "{bytes} bytes by `ekey-ctl capture` from a daemon with a software key, whose generator is ChaCha20\n"
        );
        capture(&scratch, bytes)
    });
    println!("| program | test | says |");
    println!("|---|---|---|");
    let mut good = print_ours(&file);
    print_debian(&file);
    let estimate = program.map(|program| estimator(&program, &file));
    let shown = estimate.map_or_else(|| "not had".to_owned(), |bits| format!("{bits:.6} bits a byte"));
    println!("| ea_non_iid | min-entropy of the first 1,000,000 bytes (SP 800-90B 3.1.3) | {shown} |");
    // The estimator errs on the low side by design: good data has from 6.6 to 7.4.
    good &= estimate.is_none_or(|bits| bits > 6.0);
    good &= print_dieharder(&file);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The command line.
struct Asked {
    bytes: u64,
    file: Option<PathBuf>,
    program: Option<PathBuf>,
}

fn arguments() -> Result<Asked, String> {
    let mut asked = Asked { bytes: BYTES, file: None, program: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} lacks its value"))?;
        match word.as_str() {
            "--bytes" => asked.bytes = value.parse().map_err(|error| format!("--bytes {value}: {error}"))?,
            "--file" => asked.file = Some(PathBuf::from(value)),
            "--ea-non-iid" => asked.program = Some(PathBuf::from(value)),
            _ => return Err(format!("{word} is unknown")),
        }
    }
    Ok(asked)
}

fn print_ours(file: &Path) -> bool {
    let ours = ours(file);
    println!("| ekey-ctl test | health tests that failed | {} |", ours["failed"].as_array().map_or(0, Vec::len));
    let fips = &ours["fips"];
    println!("| ekey-ctl test | FIPS 140-2, blocks that fail | {} of {} |", fips["failures"], fips["blocks"]);
    for (name, key) in [
        ("ones", "ones"),
        ("chi-square", "chi_square"),
        ("serial correlation", "serial_correlation"),
        ("min-entropy, most common value (SP 800-90B 6.3.1)", "min_entropy"),
    ] {
        println!("| ekey-ctl test | {name} | {:.6} |", ours[key].as_f64().unwrap_or(f64::NAN));
    }
    ours["good"] == true
}

fn print_debian(file: &Path) {
    let fips = rngtest(file);
    println!("| rngtest | FIPS 140-2, blocks that fail | {} of {} |", fips.failures, fips.failures + fips.successes);
    let ent = ent(file);
    println!("| ent | entropy | {:.6} bits a byte |", ent.entropy);
    println!("| ent | chi-square | {:.6} |", ent.chi_square);
    println!("| ent | serial correlation | {:.6} |", ent.serial_correlation);
}

/// Returns whether none has failed.
fn print_dieharder(file: &Path) -> bool {
    let mut lines: Vec<DieHarder> = Vec::new();
    let mut too_long = 0;
    for (test, family) in DIEHARDER {
        let family = if family.is_empty() { vec![None] } else { family.iter().copied().map(Some).collect() };
        for ntuple in family {
            match dieharder(file, *test, ntuple) {
                Some(found) => lines.extend(found),
                None => too_long += 1,
            }
        }
    }
    let count = |word: &str| lines.iter().filter(|line| line.assessment == word).count();
    for word in ["PASSED", "WEAK", "FAILED"] {
        println!("| dieharder | {word} | {} of {} |", count(word), lines.len());
    }
    let expected = 2.0 * WEAK * lines.len() as f64;
    println!("| dieharder | WEAK by chance, on average | {expected:.1} |");
    println!("| dieharder | tests that need more bytes | {too_long} |");
    for line in lines.iter().filter(|line| line.assessment != "PASSED") {
        println!("| dieharder | {} | p {:.6}, {} |", line.name, line.p, line.assessment);
    }
    count("FAILED") == 0
}
