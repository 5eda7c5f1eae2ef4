//! Prints how the original's EGD server and ours serve: `cargo run --release -p ekey-tests --bin bench-egd`. Writes the
//! table and a plot of the latencies to `bench-egd.md` and `bench-egd.svg` in the target folder.
//!
//! Needs the programs built (`cargo build --release --workspace --bins`) and the original unpacked (`tests/run`).

use std::fmt::Write as _;
use std::time::Duration;

use ekey_tests::bench::Which;
use ekey_tests::binaries::target_folder;
use ekey_tests::load::Measured;
use ekey_tests::plot::{Curve, logarithmic};
use ekey_tests::rude::beside;
use ekey_tests::serving::{below_supply, crowd, shares, unthrottled};
use ekey_tests::tls::handshakes_per_second;

const SPAN: Duration = Duration::from_secs(5);
const CROWD: usize = 10_000;

fn main() {
    let mut table = String::from("| what | original | ours | ratio |\n|---|---:|---:|---:|\n");
    let mut curves = Vec::new();
    for clients in [1, 10, 100] {
        let original = unthrottled(Which::Original, clients, SPAN);
        let ours = unthrottled(Which::Ours, clients, SPAN);
        row(&mut table, clients, &original, &ours);
        for (name, measured) in [("original", original), ("ours", ours)] {
            if measured.is_answered() {
                curves.push(Curve { name: format!("{name}, {clients} clients"), points: measured.curve() });
            }
        }
    }
    let (median, late) = below_supply(Duration::from_secs(2));
    let (median, late) = (micros(median), micros(late));
    let _ = writeln!(table, "| {CROWD} clients, half of the supply asked: p50, p99 | | {median:.0}, {late:.0} us | |");
    let crowd = crowd(CROWD);
    let _ = writeln!(
        table,
        "| {CROWD} clients at once: all connected and served after | dies at 500 | {:.2} s | |\n\
         | the 2 s after that: requests a second, least and most answered to one | | {:.0}, {} and {} | |\n\
         | memory at most; the event loop's processor time | | {} KB; {:.0} % of one | |",
        crowd.all_served.as_secs_f64(),
        crowd.after.requests_per_second(),
        crowd.after.requests.iter().min().unwrap_or(&0),
        crowd.after.requests.iter().max().unwrap_or(&0),
        crowd.peak_memory,
        crowd.event_loop * 100.0
    );
    for modest in [64, 16] {
        let shares = shares(modest, SPAN);
        let _ = writeln!(
            table,
            "| 100 greedy, 100 who ask for {modest} bytes at a time: least, most of a fair share | | {:.3}, {:.3} | |",
            shares.modest[0],
            shares.modest[shares.modest.len() - 1]
        );
    }
    for (name, pace) in [("10,000 a second", 10_000), ("as fast as they can", u32::MAX)] {
        let noticed = beside(50_000, pace);
        let (usual, late) = noticed.ratios();
        let micros = |times: [Duration; 2]| times.map(micros);
        let ([quiet, seen], [quiet_late, seen_late]) = (micros(noticed.usual_times), micros(noticed.late_times));
        let _ = writeln!(
            table,
            "| 50,000 connections come and go, {name} ({:.0}/s): p50, p90 of the others; in parts of that with a dummy as their \
             target | | {seen:.0}, {seen_late:.0} us; {quiet:.0}, {quiet_late:.0} us | {usual:.2}, {late:.2} |",
            noticed.rate
        );
    }
    let [theirs, ours] = handshakes_per_second(SPAN);
    let _ = writeln!(
        table,
        "| full TLS handshakes a second, certificates at both ends, by openssl s_time | openssl s_server: {theirs:.0} | {ours:.0} | {:.2} |",
        ours / theirs
    );
    print!("{table}");
    let plot =
        logarithmic("From asking for 64 bytes to having them", "of 100 requests, so many took at most", "s", &curves);
    for (name, content) in [("bench-egd.md", &table), ("bench-egd.svg", &plot)] {
        let path = target_folder().join(name);
        std::fs::write(&path, content).expect("the target folder can be written");
        println!("written: {}", path.display());
    }
}

fn row(table: &mut String, clients: usize, original: &Measured, ours: &Measured) {
    let rates = (original.requests_per_second(), ours.requests_per_second());
    let _ = writeln!(
        table,
        "| {clients} clients: requests a second | {:.0} | {:.0} | {:.0} |",
        rates.0,
        rates.1,
        rates.1 / rates.0
    );
    for at in [50, 99] {
        let ours = micros(ours.percentile(at));
        let (shown, ratio) = if original.is_answered() {
            let original = micros(original.percentile(at));
            (format!("{original:.0} us"), format!("{:.4}", ours / original))
        } else {
            ("none was answered".to_owned(), String::new())
        };
        let _ = writeln!(table, "| {clients} clients: p{at} | {shown} | {ours:.0} us | {ratio} |");
    }
    for (name, measured) in [("the original", original), ("ours", ours)] {
        if !measured.is_flawless() {
            let _ = writeln!(
                table,
                "| {clients} clients, {name}: hung up on; bytes that nobody asked for | {}; {} | | |",
                measured.lost, measured.unasked
            );
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
