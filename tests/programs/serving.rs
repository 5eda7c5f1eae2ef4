//! The EGD server under load: ten thousand clients at once, greedy ones beside modest ones, and time to spare.
//!
//! The figures themselves are printed by `cargo run --release -p ekey-tests --bin bench-egd`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ekey_tests::serving::{below_supply, crowd, shares};

/// Measurements disturb each other, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn ten_thousand_clients_are_served_at_once_in_twelve_megabytes() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let crowd = crowd(10_000);
    assert!(crowd.all_served <= Duration::from_secs(20), "all were served after {:?}", crowd.all_served);
    assert!(crowd.peak_memory <= 12 * 1024, "the daemon took {} KB", crowd.peak_memory);
    let starved = crowd.after.requests.iter().filter(|requests| **requests == 0).count();
    assert_eq!(starved, 0, "clients that got nothing in the two seconds after: {starved} of 10000");
}

#[test]
fn below_supply_a_late_answer_takes_at_most_four_times_the_usual() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (median, late) = below_supply(Duration::from_millis(800));
    assert!(late <= median * 4, "p99 is {late:?}, p50 {median:?}: due is at most four times as much");
}

#[test]
fn modest_clients_get_their_fair_share_beside_greedy_ones() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for bytes in [64, 16] {
        let shares = shares(bytes, Duration::from_secs(3));
        let (least, most) = (shares.modest[0], shares.modest[shares.modest.len() - 1]);
        assert!(
            least >= 0.9 && most <= 1.1,
            "modest clients that ask for {bytes} bytes got {least:.3} to {most:.3} of a fair share ({:.0} bytes), \
             greedy ones {:.3} to {:.3}",
            shares.due,
            shares.greedy[0],
            shares.greedy[shares.greedy.len() - 1]
        );
    }
}
