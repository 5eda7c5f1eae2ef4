//! Searches how many clients a number of keys can serve, and how many keys a number of clients needs.

use std::time::Duration;

use super::habit::Crowd;
use super::simulation::simulate;
use super::world::World;

/// What counts as enough, and how long a simulation is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    /// 99 of 100 requests must be answered within this many seconds.
    pub(crate) within: f64,
    pub(crate) span: Duration,
    pub(crate) seed: u64,
}

/// Requests of one simulation in a search, at most.
const MOST_REQUESTS: f64 = 200_000.0;
/// More keys than any machine has ports for.
const MOST_KEYS: u32 = 1000;
/// More clients than a search counts.
const MOST_CLIENTS: u32 = 10_000_000;

/// Returns the most clients, in the proportions of `crowds`, that the keys can serve.
pub(crate) fn borne(world: World, crowds: &[Crowd], limits: Limits) -> u32 {
    let all = clients(crowds);
    let each = demand(crowds) / f64::from(all.max(1));
    // In the long run the keys cannot give more than they supply.
    let most = (world.left() / each).clamp(0.0, MOST_CLIENTS.into()) as u32;
    let (mut enough, mut too_many) = (0, most + 1);
    while too_many - enough > 1 + enough / 500 {
        let middle = enough + (too_many - enough) / 2;
        if is_enough(world, &scaled(crowds, middle), limits) {
            enough = middle;
        } else {
            too_many = middle;
        }
    }
    enough
}

/// Returns the fewest keys like those of `world` that are enough, `None` if a thousand are not.
pub(crate) fn keys_needed(world: World, crowds: &[Crowd], limits: Limits) -> Option<u32> {
    let spent = world.supply() - world.left();
    let least = ((demand(crowds) + spent) / world.bytes_per_s).ceil().max(1.0);
    if least > f64::from(MOST_KEYS) {
        return None;
    }
    let mut keys = least as u32;
    while keys <= MOST_KEYS {
        if is_enough(World { keys, ..world }, crowds, limits) {
            return Some(keys);
        }
        keys += 1 + keys / 10;
    }
    None
}

/// Returns the bytes a second that all of them ask for, in the long run.
pub(crate) fn demand(crowds: &[Crowd]) -> f64 {
    crowds.iter().map(|crowd| crowd.habit.demand() * f64::from(crowd.clients)).sum()
}

fn is_enough(world: World, crowds: &[Crowd], limits: Limits) -> bool {
    if demand(crowds) > world.left() {
        return false;
    }
    let requests = crowds.iter().map(|crowd| crowd.habit.requests() * f64::from(crowd.clients)).sum::<f64>();
    let span = limits.span.as_secs_f64().min((MOST_REQUESTS / requests).max(120.0));
    let outcome = simulate(world, crowds, Duration::from_secs_f64(span), limits.seed);
    outcome.waits.quantile(0.99) <= limits.within
}

fn clients(crowds: &[Crowd]) -> u32 {
    crowds.iter().map(|crowd| crowd.clients).sum()
}

/// Scales the crowds to `to` clients, in the same proportions.
fn scaled(crowds: &[Crowd], to: u32) -> Vec<Crowd> {
    let (mut before, mut given) = (0_u64, 0);
    let all = u64::from(clients(crowds).max(1));
    let share = |crowd: &Crowd| {
        before += u64::from(crowd.clients);
        // The next crowd gets what rounding takes from this one.
        let until = u32::try_from(before * u64::from(to) / all).unwrap_or(u32::MAX);
        let clients = until - given;
        given = until;
        Crowd { clients, ..*crowd }
    };
    crowds.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::Habit;

    #[test]
    fn a_scaled_crowd_keeps_proportions_and_all_clients() {
        let crowds = [10, 20, 3].map(|clients| Crowd { clients, habit: Habit::Tls });
        let counts = |to| scaled(&crowds, to).iter().map(|crowd| crowd.clients).collect::<Vec<_>>();
        assert_eq!(counts(330), [100, 200, 30]);
        assert_eq!(counts(7).iter().sum::<u32>(), 7);
        assert_eq!(counts(0), [0, 0, 0]);
    }
}
