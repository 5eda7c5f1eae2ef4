//! The EGD server under load: ten thousand clients at once, greedy ones beside modest ones, and time to spare.
//!
//! The figures themselves are printed by `cargo run --release -p ekey-tests --bin bench-egd`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ekey_tests::serving::{below_supply, crowd, shares};
use ekey_tests::tries::{due, once_in_three};

/// Measurements disturb each other, so they take turns.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn ten_thousand_clients_are_served_at_once_in_twelve_megabytes() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    once_in_three(|| {
        let crowd = crowd(10_000);
        println!("all served after {:?}, in {} KB at most", crowd.all_served, crowd.peak_memory);
        assert!(crowd.peak_memory <= 12 * 1024, "the daemon took {} KB", crowd.peak_memory);
        due(crowd.all_served <= Duration::from_secs(20), || format!("all were served after {:?}", crowd.all_served))?;
        let starved = crowd.after.requests.iter().filter(|requests| **requests == 0).count();
        due(starved == 0, || format!("clients that got nothing in the two seconds after: {starved} of 10000"))
    });
}

#[test]
fn below_supply_a_late_answer_takes_at_most_four_times_the_usual() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    once_in_three(|| {
        let (median, late) = below_supply(Duration::from_millis(800));
        println!("p99 is {late:?}, p50 {median:?}");
        due(late <= median * 4, || format!("p99 is {late:?}, p50 {median:?}: due is at most four times as much"))
    });
}

#[test]
fn modest_clients_get_their_fair_share_beside_greedy_ones() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for bytes in [64, 16] {
        // A modest client that is not scheduled in time to ask again loses its turn.
        once_in_three(|| {
            let shares = shares(bytes, Duration::from_secs(3));
            let (least, most) = (shares.modest[0], shares.modest[shares.modest.len() - 1]);
            let seen = format!(
                "modest clients that ask for {bytes} bytes got {least:.3} to {most:.3} of a fair share ({:.0} bytes), \
                 greedy ones {:.3} to {:.3}",
                shares.due,
                shares.greedy[0],
                shares.greedy[shares.greedy.len() - 1]
            );
            println!("{seen}");
            due(least >= 0.9 && most <= 1.1, || seen)
        });
    }
}
