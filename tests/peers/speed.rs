//! Ours is not slower than the original where it counts: processor time a frame, time to first entropy, memory.
//!
//! The figures themselves are printed by `cargo run --release -p ekey-tests --bin bench-peer`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ekey_tests::DaemonPlan;
use ekey_tests::bench::{median_nanoseconds_per_frame, median_times_to_first_entropy, memory_serving_egd};
use ekey_tests::tries::{due, once_in_three};

const FRAMES: u64 = 200_000;
/// Ours may take half of the original's processor time, no more.
const MOST_OF_ORIGINAL: f64 = 0.5;
/// Memory of our daemon with one key and its EGD server, in KB.
const MOST_MEMORY: u64 = 4096;
/// One frame at 126 a second: where in the key's rhythm a daemon starts is chance.
const CHANCE: Duration = Duration::from_millis(8);

/// Measurements disturb each other, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn a_frame_costs_at_most_half_of_the_originals_processor_time() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    once_in_three(|| {
        let (original, ours) = median_nanoseconds_per_frame(FRAMES);
        let most = original * MOST_OF_ORIGINAL;
        let seen = format!(
            "a frame costs {ours:.0} ns, due are at most {most:.0} ns, {MOST_OF_ORIGINAL} of the original's {original:.0} ns (medians \
             of 3)"
        );
        println!("{seen}");
        due(ours <= most, || seen)
    });
}

#[test]
fn the_first_entropy_comes_no_later_than_the_originals() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    once_in_three(|| {
        let (original, ours) = median_times_to_first_entropy();
        let seen = format!(
            "the first entropy comes after {ours:?}, the original's after {original:?} (medians of 5, {CHANCE:?} of chance)"
        );
        println!("{seen}");
        due(ours <= original + CHANCE, || seen)
    });
}

#[test]
fn serving_egd_with_a_full_pool_takes_at_most_four_megabytes() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // Beside the pages of its program that it needs, those come in that the kernel has at hand around them: more or fewer.
    once_in_three(|| {
        let memory = memory_serving_egd(&DaemonPlan::default());
        println!("{memory:?}");
        due(memory.peak <= MOST_MEMORY, || {
            format!("resident now and at most, in KB: {memory:?}, due are at most {MOST_MEMORY} KB")
        })
    });
}
