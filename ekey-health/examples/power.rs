//! Prints which bad sources the tests find and how soon, and their false alarms on good data:
//! `cargo run --release -p ekey-health --example power [BYTES OF GOOD DATA]`.

#[path = "../tests/sources/mod.rs"]
mod sources;

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use ekey_health::{AdaptiveProportion, Alpha, Bias, Change, FipsRatio, Monitor, RepetitionCount, Test};
use sources::{Kind, PIECE, Source, bad};

const GOOD_BYTES: u64 = 100_000_000;
/// Good bytes before each bad source.
const BEFORE: u64 = 10_007;

fn main() -> Result<(), Box<dyn Error>> {
    let good_bytes = std::env::args().nth(1).map_or(Ok(GOOD_BYTES), |text| text.parse())?;
    let alpha = Alpha::default();
    let proportion = AdaptiveProportion::new(alpha);
    println!(
        "Cut-offs for a false-alarm rate of {alpha}: repetition count {}, adaptive proportion {} of 512 (a window fails",
        RepetitionCount::new(alpha).cutoff(),
        proportion.cutoff()
    );
    println!(
        "with 2^{:.1}), FIPS 140-2 {} of 64 blocks, bias {} of 1,280,000 bits.\n",
        proportion.false_alarm().log2(),
        FipsRatio::new(alpha).cutoff(),
        Bias::new(alpha).cutoff()
    );
    println!("| source | times | found | bytes until then: middle | most | stated | first found by |");
    println!("|---|---:|---:|---:|---:|---:|---|");
    for (name, kind, most_bytes, _) in bad() {
        print_power(name, kind, most_bytes);
    }
    println!();
    print_false_alarms(good_bytes);
    Ok(())
}

fn print_power(name: &str, kind: Kind, most_bytes: u64) {
    let times = if most_bytes > 1 << 20 { 5 } else { 100 };
    let mut bytes = Vec::new();
    let mut by = BTreeMap::new();
    for seed in 0..times {
        let mut monitor = Monitor::new(Alpha::default(), 128);
        let before = BEFORE + 101 * seed;
        run(&mut monitor, Kind::Good, seed, before);
        if let Some(Change::Retired(alarm)) = run(&mut monitor, kind, 1000 + seed, 2 * most_bytes) {
            bytes.push(alarm.at_byte - before + 1);
            *by.entry(alarm.test.name()).or_insert(0) += 1;
        }
    }
    bytes.sort_unstable();
    let (middle, most) = (bytes.get(bytes.len() / 2).copied(), bytes.last().copied());
    let (middle, most) = (middle.unwrap_or_default(), most.unwrap_or_default());
    let by: Vec<String> = by.iter().map(|(test, count)| format!("{test} {count}")).collect();
    println!("| {name} | {times} | {} | {middle} | {most} | {most_bytes} | {} |", bytes.len(), by.join(", "));
}

fn print_false_alarms(bytes: u64) {
    let mut monitor = Monitor::new(Alpha::default(), 128);
    let mut source = Source::new(Kind::Good, 2026);
    let mut buffer = [0; PIECE];
    let (mut judging, started) = (0.0, Instant::now());
    for _ in 0..bytes.div_ceil(PIECE as u64) {
        source.fill(&mut buffer);
        let before = Instant::now();
        monitor.judge(&buffer);
        judging += before.elapsed().as_secs_f64();
    }
    println!("| false alarms over {} bytes of good data | |", monitor.tested_bytes());
    println!("|---|---:|");
    for test in Test::ALL {
        println!("| {} | {} |", test.name(), monitor.failures(test));
    }
    let (blocks, failed) = monitor.fips_blocks();
    println!(
        "| single blocks of 20,000 bits that fail FIPS 140-2 | {failed} of {blocks}, 1 in {:.0} |",
        blocks as f64 / failed as f64
    );
    let frames = monitor.tested_bytes() as f64 / 32.0;
    println!("| time of all tests for a frame of 32 bytes | {:.0} ns |", judging * 1e9 / frames);
    eprintln!("({:.1} s)", started.elapsed().as_secs_f64());
}

fn run(monitor: &mut Monitor, kind: Kind, seed: u64, bytes: u64) -> Option<Change> {
    let mut source = Source::new(kind, seed);
    let mut buffer = [0; 1024];
    let mut left = bytes;
    while left > 0 {
        let piece = 1024.min(left) as usize;
        source.fill(&mut buffer[..piece]);
        if let Some(change) = monitor.judge(&buffer[..piece]).change {
            return Some(change);
        }
        left -= piece as u64;
    }
    None
}
