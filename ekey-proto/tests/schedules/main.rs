//! Runs the host's and the key's state machines on a virtual clock through many random schedules. The wires lose, repeat, delay and
//! damage frames and commands, either end starts over, the key hangs or loses power, the keyring is wrong for a while.
//!
//! A [`model`] knows the key of each frame and predicts what the host does with every frame that arrives whole. So the two ends never
//! differ on a session key unless the model saw the cause: an answer to another nonce than the last. When the faults end, entropy must
//! flow again within [`BACK_IN`].
//!
//! Runs 20,000 schedules, or `EKEY_SCHEDULES` of them:
//! `EKEY_SCHEDULES=1000000 cargo test --release -p ekey-proto --test schedules -- --nocapture`.

mod ends;
mod model;
mod random;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ends::{Ends, Outcome};

/// The longest recovery: a false "long-term key is bad", on its way when the faults ended, after others before it.
const BACK_IN: Duration = Duration::from_secs(60);
const USUAL: u64 = 20_000;

#[test]
fn through_any_schedule_the_two_ends_agree_and_go_on() {
    let count = std::env::var("EKEY_SCHEDULES").map_or(USUAL, |text| text.parse().expect("EKEY_SCHEDULES is a number"));
    let next = AtomicU64::new(0);
    let run = || {
        let mut sum = Outcome::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return sum;
            }
            sum.add(&Ends::new(seed).run(BACK_IN));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let sum = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running.into_iter().fold(Outcome::default(), |mut sum, one| {
            // The thread has printed its failure.
            sum.add(&one.join().unwrap_or_else(|_| panic!("a schedule failed, see above for its number")));
            sum
        })
    });
    println!("| schedules | {count} |");
    println!("| frames predicted, and right | {} |", sum.predicted);
    println!("| blocks delivered, each once and in order | {} |", sum.delivered);
    println!("| session keys agreed on | {} |", sum.agreed);
    println!("| answers to another nonce than the last, noticed | {} |", sum.mistaken);
    println!("| longest recovery | {:.1} s |", sum.longest_recovery.as_secs_f64());
    assert!(sum.agreed > count && sum.delivered > 10 * count, "the schedules make too little progress: {sum:?}");
    assert!(sum.mistaken * 1000 > count, "the schedules are too tame: {sum:?}");
}
