//! Prints what the original daemon and ours cost: `cargo run --release -p ekey-tests --bin bench-peer`.
//!
//! Needs the programs built (`cargo build --release --workspace --bins`) and the original unpacked (`tests/run`).

use ekey_tests::DaemonPlan;
use ekey_tests::bench::{median_nanoseconds_per_frame, median_times_to_first_entropy, memory_serving_egd};

const FRAMES: u64 = 200_000;

fn main() {
    let (original, ours) = median_nanoseconds_per_frame(FRAMES);
    let (start_original, start_ours) = median_times_to_first_entropy();
    let [start_original, start_ours] = [start_original, start_ours].map(|time| time.as_secs_f64() * 1e3);
    let memory = memory_serving_egd(&DaemonPlan::default());
    println!("| what | original | ours | ours / original |");
    println!("|---|---:|---:|---:|");
    println!(
        "| processor time a frame, {FRAMES} frames, median of 3 | {original:.0} ns | {ours:.0} ns | {:.2} |",
        ours / original
    );
    println!(
        "| start to first entropy at 126 frames/s, median of 5 | {start_original:.1} ms | {start_ours:.1} ms | {:.2} |",
        start_ours / start_original
    );
    println!("| memory serving EGD, pool full: now / peak | | {} / {} KB | |", memory.resident, memory.peak);
}
