//! Runs everything for a long time and compares it with the truth: `nice cargo run --release -p ekey-tests --bin soak
//! -- --for 2h`, with `--seed N` to repeat the same events. Writes its results to `soak.md` and `soak.svg` in the
//! target folder every minute. Exits with 1 if it found a fault.
//!
//! Needs the programs built (`cargo build --release --workspace --bins`), and for jumps of the wall clock libfaketime
//! unpacked (`tests/run`).

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ekey_tests::binaries::target_folder;
use ekey_tests::soak::{Order, Report, soak};

const USAGE: &str = "usage: soak [--for 20s|10m|2h] [--seed N]";

fn main() -> ExitCode {
    let Some(order) = order(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    println!("soaking for {} s with --seed {}", order.span.as_secs(), order.seed);
    let report = soak(order, |line, report| {
        println!("{line}");
        write(report);
    });
    write(&report);
    println!("{}", report.table());
    if report.findings.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("{} findings with --seed {}; logs are in {}", report.findings.len(), order.seed, report.folder.display());
    ExitCode::FAILURE
}

fn order(mut arguments: impl Iterator<Item = String>) -> Option<Order> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let mut order = Order { span: Duration::from_secs(600), seed: now };
    while let Some(argument) = arguments.next() {
        let value = arguments.next()?;
        match argument.as_str() {
            "--for" => order.span = span(&value)?,
            "--seed" => order.seed = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(order)
}

fn span(text: &str) -> Option<Duration> {
    let unit = text.find(|letter: char| !letter.is_ascii_digit())?;
    let number = text[..unit].parse::<u64>().ok()?;
    let seconds = match &text[unit..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

fn write(report: &Report) {
    for (name, content) in [("soak.md", report.table()), ("soak.svg", report.picture())] {
        std::fs::write(target_folder().join(name), content).expect("the target folder can be written");
    }
}
