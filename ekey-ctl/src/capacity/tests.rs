//! Checks the simulation against queueing theory and plain arithmetic, which do not depend on this code.

use std::time::Duration;

use super::world::Kernel;
use super::{Crowd, Habit, Limits, Outcome, World, borne, keys_needed, simulate};

const HOUR: Duration = Duration::from_secs(3600);

/// One key that delivers 64 bytes at equal intervals, and a pool that keeps no more than that.
fn slots(bytes_per_s: f64) -> World {
    World { keys: 1, bytes_per_s, block: 64, pool: 0, held: 0, kernel: None }
}

fn assert_conserved(outcome: &Outcome, held: u64) {
    let went = outcome.given + outcome.kernel + outcome.overflowed + outcome.held;
    assert_eq!(outcome.brought + held, went, "received equals given");
}

/// Requests at random moments, one served at each tick: M/D/1 with vacations of one service (Fuhrmann and Cooper, 1985). The mean
/// wait for a tick is D/2 + rho D / (2 (1 - rho)).
#[test]
fn random_requests_wait_as_queueing_theory_says() {
    for (clients, rho) in [(3, 0.3), (5, 0.5), (8, 0.8), (9, 0.9)] {
        let service = 0.1;
        let crowd = Crowd { clients, habit: Habit::Tls };
        let outcome = simulate(slots(64.0 / service), &[crowd], HOUR * 24, 7);
        let expected = service / 2.0 + rho * service / (2.0 * (1.0 - rho));
        let seen = outcome.waits.mean();
        assert!(
            (seen / expected - 1.0).abs() < 0.03,
            "at a load of {rho}: {seen:.4} s on average, expected {expected:.4} s"
        );
        assert_conserved(&outcome, 0);
    }
}

/// Little's law: the mean number of waiting clients is the rate of requests times the mean wait.
#[test]
fn the_pool_is_empty_only_while_a_client_waits() {
    let crowd = Crowd { clients: 8, habit: Habit::Tls };
    let world = World { pool: 64, ..slots(640.0) };
    let outcome = simulate(world, &[crowd], HOUR * 24, 7);
    // A held token serves the next client at once. Poisson arrivals see time averages (PASTA): the part of requests without a wait is
    // the part of the time in which the pool holds something.
    let difference = (1.0 - outcome.part_empty()) - outcome.waits.part_at_once();
    assert!(difference.abs() < 0.005, "{} and {}", outcome.part_empty(), outcome.waits.part_at_once());
}

/// Above the supply the backlog grows like a fluid: a request at `t` gets its last byte at `t` x demand / supply.
#[test]
fn demand_above_supply_grows_an_even_backlog() {
    let world = World { held: 0, kernel: None, ..World::usual(1) };
    let crowd = Crowd { clients: 100, habit: Habit::Burst(64, 1.0) };
    let outcome = simulate(world, &[crowd], Duration::from_secs(600), 1);
    let longest = 600.0 * (1.0 - 4032.0 / 6400.0);
    assert!((outcome.waits.longest() / longest - 1.0).abs() < 0.02, "{} for {longest}", outcome.waits.longest());
    assert!(outcome.brought - outcome.given < 2496, "everything was given");
    let unanswered = (6400.0 - 4032.0) * 600.0 / 64.0;
    assert!((outcome.unanswered as f64 / unanswered - 1.0).abs() < 0.02, "{}", outcome.unanswered);
    assert_conserved(&outcome, 0);
}

#[test]
fn a_full_pool_answers_a_rush_and_refills_at_key_rate() {
    let crowd = Crowd { clients: 500, habit: Habit::Boot };
    let outcome = simulate(World::usual(1), &[crowd], HOUR, 1);
    assert_eq!((outcome.waits.longest(), outcome.unanswered), (0.0, 0));
    assert!((outcome.waits.part_at_once() - 1.0).abs() < f64::EPSILON);
    let lowest = outcome.steps.iter().map(|step| step.pool).min();
    // 500 times 512 bytes within a minute; the key delivers 241,920 of them meanwhile.
    assert!(lowest.is_some_and(|lowest| (1_020_000..1_048_576).contains(&lowest)), "{lowest:?}");
    assert_conserved(&outcome, 1_048_576);
}

#[test]
fn the_kernel_is_served_first() {
    let world = World { held: 0, kernel: Some(Kernel { bytes: 2000, every: 1.0 }), ..World::usual(1) };
    let greedy = Crowd { clients: 10, habit: Habit::Steady(10_000.0) };
    let outcome = simulate(world, &[greedy], Duration::from_secs(100), 1);
    assert!((198_000..=200_000).contains(&outcome.kernel), "{}", outcome.kernel);
    assert_conserved(&outcome, 0);
}

/// A client that asks for less than an even share waits for one turn of the others, however much those ask for.
#[test]
fn modest_clients_do_not_wait_for_greedy_ones() {
    let world = World { held: 0, kernel: None, ..World::usual(1) };
    let wait = |crowds: &[Crowd]| simulate(world, crowds, Duration::from_secs(1000), 3).waits;
    let modest = Crowd { clients: 50, habit: Habit::Burst(64, 60.0) };
    let greedy = Crowd { clients: 5, habit: Habit::Steady(10_000.0) };
    let (alone, all) = (wait(&[greedy]).count(), wait(&[modest, greedy]));
    let modest_requests = all.count() - alone;
    let waited = (0..100).map(f64::from).find(|part| all.quantile(part / 100.0) > 2.0).unwrap_or(100.0);
    assert!(modest_requests >= 780, "{modest_requests}");
    // The modest clients have the shortest waits.
    let part = modest_requests as f64 / all.count() as f64 * 100.0;
    assert!(waited >= part.floor(), "{part:.2} % are modest, and {waited} % wait for up to two seconds");
}

/// A block has 2,496 bytes: if 39 clients wait for 128 each, 19 get all of them, and the others wait for the next block.
#[test]
fn a_block_is_shared_out_by_whole_requests() {
    let slow = World { held: 0, kernel: None, bytes_per_s: 0.1, ..World::usual(1) };
    let crowd = Crowd { clients: 39, habit: Habit::Burst(128, 1000.0) };
    // One interval between blocks: it has one block, after all clients asked.
    let outcome = simulate(slow, &[crowd], Duration::from_secs(24_960), 1);
    assert_eq!((outcome.given, outcome.held), (19 * 128, 64));
    assert_eq!(outcome.waits.count() - outcome.unanswered, 19, "requests with an answer");
}

#[test]
fn the_seed_alone_decides_the_outcome() {
    let crowd = [Crowd { clients: 70, habit: Habit::Tls }];
    let outcome = |seed| simulate(World { held: 0, ..World::usual(1) }, &crowd, HOUR, seed);
    assert_eq!(outcome(1), outcome(1));
    assert_ne!(outcome(1).waits, outcome(2).waits);
}

#[test]
fn a_key_bears_what_it_supplies_and_twice_needs_two() {
    let limits = Limits { within: 1.0, span: HOUR, seed: 1 };
    let steady = [Crowd { clients: 10, habit: Habit::Steady(16.0) }];
    let most = borne(World::usual(1), &steady, limits);
    // (4032 - 64 / 60) / 16.
    assert!((249..=251).contains(&most), "{most}");
    let many = [Crowd { clients: 2 * most, ..steady[0] }];
    assert_eq!(keys_needed(World::usual(1), &many, limits), Some(2));
    assert_eq!(keys_needed(World::usual(1), &[Crowd { clients: 300_000, ..steady[0] }], limits), None);
    // A burst larger than the pool waits for the key, whatever the average demand.
    let small = World { pool: 16_384, held: 16_384, ..World::usual(1) };
    let bursts = [Crowd { clients: 1, habit: Habit::Burst(100_000, 3600.0) }];
    assert_eq!(borne(small, &bursts, limits), 0);
    assert!(borne(World::usual(1), &bursts, limits) >= 10);
}
