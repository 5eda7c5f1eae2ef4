//! The EGD server under load: ten thousand clients at once, and greedy ones next to modest ones.

use ekey_tests::KeyPlan;
use ekey_tests::load::{Habit, Load};
use ekey_tests::serving::{USUAL, ours};

#[test]
fn ten_thousand_clients_are_all_served() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key"));
    let mut load = Load::new().with(10_000, Habit::steady(USUAL), &daemon.egd);
    for round in 1..=3 {
        let measured = load.run_until_all_are_served();
        assert!(measured.is_flawless(), "round {round}: {} of 10000 clients were hung up on", measured.lost);
    }
}

#[test]
fn greedy_clients_do_not_starve_modest_ones() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(8000));
    for modest in [64, 16] {
        let (greedy, modest) = (Habit::greedy(), Habit::steady(modest));
        let mut load = Load::new().with(100, greedy, &daemon.egd).with(100, modest, &daemon.egd);
        for round in 1..=20 {
            let measured = load.run_until_all_are_served();
            assert!(measured.is_flawless(), "round {round}: {} clients were hung up on", measured.lost);
        }
    }
}
