//! How well the EGD server serves: next to the original, ten thousand clients at once, half of the supply, and more
//! than the supply.

use std::time::{Duration, Instant};

use super::priority::{prefer, prefer_this_thread, stop_preferring_this_thread};
use super::{Bound, Figure, Missing, ORIGINAL, Subject, Unit, Which, median};
use crate::daemon::DaemonPlan;
use crate::load::{Habit, Load, Measured};
use crate::original::OriginalDaemon;
use crate::scratch::Scratch;
use crate::serving::{USUAL, ours};
use crate::software_key::KeyPlan;
use crate::usage::{event_loop_time, memory};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "egd-rate", title: "EGD requests a second, 100 clients", measure: rate },
    Subject { name: "egd-latency", title: "how long one EGD client waits", measure: latency },
    Subject { name: "egd-crowd", title: "ten thousand EGD clients at once", measure: crowd },
    Subject { name: "egd-below-supply", title: "late answers at a demand of half the supply", measure: below_supply },
    Subject { name: "egd-shares", title: "what modest clients get next to greedy ones", measure: shares },
];

/// Ours answers at least this many times the requests of the original.
const LEAST_RATIO: f64 = 300.0;
/// Ours may take this part of the time that the original takes.
const MOST_LATENCY: f64 = 1.0 / 20.0;

fn rate() -> Result<Vec<Figure>, Missing> {
    let original = unthrottled(Which::Original, 100, Duration::from_secs(8));
    // The original sometimes answers none of a hundred clients.
    let original =
        if original.is_answered() { original } else { unthrottled(Which::Original, 1, Duration::from_secs(4)) };
    assert!(original.is_answered(), "the original answered nothing in 12 s: no reference");
    let ours = median([(); 3].map(|()| {
        let ours = unthrottled(Which::Ours, 100, Duration::from_secs(3));
        assert!(ours.is_flawless(), "{} clients were hung up on: {:?}", ours.lost, ours.requests);
        ours.requests_per_second()
    }));
    let figure = Figure::new("requests a second, 100 clients, median of 3", Unit::PerSecond, ours);
    Ok(vec![figure.against(ORIGINAL, original.requests_per_second()).bound(Bound::LeastTimes(LEAST_RATIO))])
}

fn latency() -> Result<Vec<Figure>, Missing> {
    let original = unthrottled(Which::Original, 1, Duration::from_secs(4));
    let ours = [(); 3].map(|()| unthrottled(Which::Ours, 1, Duration::from_secs(3)));
    let figures = [50, 99].map(|hundredths| {
        let seconds = |measured: &Measured| measured.percentile(hundredths).as_secs_f64();
        let figure = Figure::new(
            format!("{hundredths} of 100 answers to one client, median of 3"),
            Unit::Seconds,
            median(ours.each_ref().map(seconds)),
        );
        figure.against(ORIGINAL, seconds(&original)).bound(Bound::MostTimes(MOST_LATENCY))
    });
    Ok(figures.into())
}

/// Runs `clients` clients on a unix socket that ask for 64 bytes again and again, with a software key that sends as
/// fast as the host reads.
fn unthrottled(which: Which, clients: usize, span: Duration) -> Measured {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key");
    let key = plan.plug_in(&scratch);
    let measure = |socket| {
        let mut load = Load::new().with(clients, Habit::steady(USUAL), socket);
        // The first session and the first answers do not count.
        let _ = load.run_for(Duration::from_secs(2));
        load.run_for(span)
    };
    match which {
        Which::Ours => {
            let daemon = DaemonPlan::default().key(&plan, &key).egd().start(&scratch);
            measure(&daemon.egd)
        }
        Which::Original => {
            let keyring = scratch.write("original.keyring", &plan.keyring_line(), 0o600);
            let daemon = OriginalDaemon::start_serving("original", &scratch, &key, &keyring);
            measure(&daemon.output)
        }
    }
}

fn crowd() -> Result<Vec<Figure>, Missing> {
    const CLIENTS: usize = 10_000;
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key"));
    let started = Instant::now();
    let mut load = Load::new().with(CLIENTS, Habit::steady(USUAL), &daemon.egd);
    let first = load.run_until_all_are_served();
    assert!(first.is_flawless(), "{} of {CLIENTS} clients were hung up on", first.lost);
    let all_served = started.elapsed().as_secs_f64();
    let before = event_loop_time(daemon.program.id());
    let after = load.run_for(Duration::from_secs(2));
    let event_loop = (event_loop_time(daemon.program.id()) - before).as_secs_f64() / after.elapsed.as_secs_f64();
    let starved = after.requests.iter().filter(|requests| **requests == 0).count();
    let peak = memory(daemon.program.id()).peak as f64;
    Ok(vec![
        Figure::new("10,000 clients connected and each served", Unit::Seconds, all_served).bound(Bound::Most(20.0)),
        Figure::new("of them without an answer in the next 2 s", Unit::Count, starved as f64).bound(Bound::Most(0.0)),
        Figure::new("requests a second in those 2 s", Unit::PerSecond, after.requests_per_second()),
        Figure::new("event loop in those 2 s", Unit::PercentOfCore, event_loop * 100.0),
        Figure::new("most resident (VmHWM)", Unit::Kilobytes, peak).bound(Bound::Most(12.0 * 1024.0)),
    ])
}

/// Measures ten thousand clients whose demand is half of what the key sends: 160 KB of 320 KB a second.
fn below_supply() -> Result<Vec<Figure>, Missing> {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(10_000));
    let habit = Habit::at_intervals(USUAL, Duration::from_secs(4));
    prefer(&[daemon.program.id()]);
    prefer_this_thread();
    let mut load = Load::new().with(10_000, habit, &daemon.egd);
    let runs = [(); 9].map(|()| {
        let measured = load.run_for(Duration::from_millis(800));
        assert_eq!((measured.lost, measured.unasked), (0, 0), "clients hung up on, bytes not asked for");
        [50, 99].map(|hundredths| measured.percentile(hundredths).as_secs_f64())
    });
    stop_preferring_this_thread();
    let [usual, late] = [0, 1].map(|at| median(runs.map(|run| run[at])));
    let figure = Figure::new("99 of 100 answers to 10,000 clients, median of 9", Unit::Seconds, late);
    Ok(vec![figure.against("50 of 100", usual).bound(Bound::MostTimes(4.0))])
}

/// Measures a hundred greedy clients, which ask for 255 bytes and 64 requests ahead, and a hundred modest ones, while
/// the key brings a fraction of their demand. A fair share is the hundredth part of half of the supply.
fn shares() -> Result<Vec<Figure>, Missing> {
    let mut figures = Vec::new();
    for modest in [64, 16] {
        let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(8000));
        // A modest client of 16 bytes must ask eighty times a second for its share: only the two ends may delay it.
        prefer(&[daemon.program.id()]);
        prefer_this_thread();
        let mut load =
            Load::new().with(100, Habit::greedy(), &daemon.egd).with(100, Habit::steady(modest), &daemon.egd);
        // After this the pool's initial content is gone.
        let _ = load.run_for(Duration::from_secs(1));
        let runs = [(); 3].map(|()| {
            let measured = load.run_for(Duration::from_secs(3));
            assert!(measured.is_flawless(), "{} clients were hung up on: {:?}", measured.lost, measured.requests);
            let fair = measured.bytes.iter().sum::<u64>() as f64 / measured.bytes.len() as f64;
            let parts = measured.bytes[100..].iter().map(|bytes| *bytes as f64 / fair);
            parts.fold([f64::INFINITY, 0.0], |[least, most], part| [part.min(least), part.max(most)])
        });
        stop_preferring_this_thread();
        for (at, name) in [(0, "least"), (1, "most")] {
            let what = format!("{name} of a fair share to a client that asks for {modest} bytes, median of 3");
            let figure = Figure::new(what, Unit::Times, median(runs.map(|run| run[at])));
            figures.push(figure.against("a fair share", 1.0).bound(Bound::Within(0.9, 1.1)));
        }
    }
    Ok(figures)
}
