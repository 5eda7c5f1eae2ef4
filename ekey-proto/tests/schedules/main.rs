//! The host's and the key's state machines against each other on a virtual clock, through many random schedules: frames and commands
//! are lost, repeated, held up and damaged, either end starts over, the key hangs or loses its power, the keyring is wrong for a while.
//!
//! Beside them runs a [`model`] that knows under which key each frame was made. It foretells what the host makes of every frame
//! that arrives whole: so the two ends never differ on a session key without the model having seen the reason, which is an answer
//! to another nonce than the last. And when the trouble ends, entropy comes back within [`BACK_IN`].
//!
//! 20,000 schedules, or as many as `EKEY_SCHEDULES` says:
//! `EKEY_SCHEDULES=1000000 cargo test --release -p ekey-proto --test schedules -- --nocapture`.

mod ends;
mod model;
mod random;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ends::{Ends, Outcome};

/// The longest way back: a false "long-term key is bad" that was on its way when the trouble ended, after others before it.
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
            // What it says has been printed by then.
            sum.add(&one.join().unwrap_or_else(|_| panic!("a schedule failed, see above for its number")));
            sum
        })
    });
    println!("| schedules | {count} |");
    println!("| frames foretold, and right | {} |", sum.foretold);
    println!("| blocks delivered, each once and in order | {} |", sum.delivered);
    println!("| session keys agreed on | {} |", sum.agreed);
    println!("| answers to another nonce than the last, noticed | {} |", sum.mistaken);
    println!("| way back at most | {:.1} s |", sum.longest_way_back.as_secs_f64());
    assert!(sum.agreed > count && sum.delivered > 10 * count, "the schedules hardly get anywhere: {sum:?}");
    assert!(sum.mistaken * 1000 > count, "the schedules are too tame: {sum:?}");
}
