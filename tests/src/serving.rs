//! How well the EGD server serves, measured: many clients, one, ten thousand, and more than there is for.
//!
//! The tests hold these figures against bounds; `bench-egd` prints them.

use std::time::{Duration, Instant};

use crate::await_until;
use crate::bench::Which;
use crate::daemon::{Daemon, DaemonPlan};
use crate::egd::EgdClient;
use crate::load::{Habit, Load, Measured, allow_open_files};
use crate::original::OriginalDaemon;
use crate::priority::{prefer, prefer_this_thread};
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, SoftwareKey};
use crate::usage::{event_loop_time, memory};

/// What a virtual machine asks for at a time, in bytes: QEMU's `rng-egd`.
pub const USUAL: u8 = 64;

/// `clients` clients on a unix socket that ask for 64 bytes again and again, beside a software key that sends as fast
/// as it is read.
///
/// # Panics
/// When the server does not listen, or hangs up.
#[must_use]
pub fn unthrottled(which: Which, clients: usize, span: Duration) -> Measured {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key");
    let key = plan.plug_in(&scratch);
    let measure = |socket| {
        let mut load = Load::new().with(clients, Habit::steady(USUAL), socket);
        // The first session and the first answers are no part of the measurement.
        let _ = load.run_until_all_are_served(Duration::from_secs(10));
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

/// Ten thousand clients at once.
#[derive(Debug)]
pub struct Crowd {
    /// From the first connection until each client had its 64 bytes.
    pub all_served: Duration,
    /// The two seconds after that.
    pub after: Measured,
    /// The most memory the daemon ever had, in KB.
    pub peak_memory: u64,
    /// The event loop's processor time, in processors, over those seconds.
    pub event_loop: f64,
}

/// Connects `clients` clients that ask for 64 bytes each, and goes on for two seconds when each has them.
///
/// # Panics
/// When the machine allows too few open files, or the server hangs up on a client.
#[must_use]
pub fn crowd(clients: usize) -> Crowd {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key"));
    allow_open_files(clients);
    let started = Instant::now();
    let mut load = Load::new().with(clients, Habit::steady(USUAL), &daemon.egd);
    let first = load.run_until_all_are_served(Duration::from_secs(60));
    assert!(first.is_flawless(), "{} of {clients} clients were hung up on", first.lost);
    let all_served = started.elapsed();
    let before = event_loop_time(daemon.program.id());
    let after = load.run_for(Duration::from_secs(2));
    let event_loop = (event_loop_time(daemon.program.id()) - before).as_secs_f64() / after.elapsed.as_secs_f64();
    Crowd { all_served, after, peak_memory: memory(daemon.program.id()).peak, event_loop }
}

/// The usual and the late answer's time (p50 and p99) of ten thousand clients whose demand is half of what the key sends:
/// 160 KB of 320 KB a second. Of eight runs it is the one that the machine's other work disturbed least.
///
/// # Panics
/// When the server hangs up on a client.
#[must_use]
pub fn below_supply(span: Duration) -> (Duration, Duration) {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(10_000));
    let habit = Habit::at_intervals(USUAL, Duration::from_secs(4));
    prefer(&[daemon.program.id()]);
    prefer_this_thread();
    let mut load = Load::new().with(10_000, habit, &daemon.egd);
    let run = || {
        let measured = load.run_for(span);
        assert_eq!((measured.lost, measured.unasked), (0, 0), "clients hung up on, bytes nobody asked for");
        (measured.percentile(50), measured.percentile(99))
    };
    let ratio = |run: &(Duration, Duration)| run.1.as_secs_f64() / run.0.as_secs_f64();
    let runs = std::iter::repeat_with(run).take(8);
    runs.min_by(|one, other| ratio(one).total_cmp(&ratio(other))).expect("eight runs")
}

/// What the modest clients got at a demand of ten times the supply.
#[derive(Debug)]
pub struct Shares {
    /// Bytes that each client is due: the hundredth part of half of what was given to all.
    pub due: f64,
    /// What each modest client got, in parts of that, ascending.
    pub modest: Vec<f64>,
    /// The same for the greedy ones.
    pub greedy: Vec<f64>,
}

/// A hundred greedy clients, which ask for 255 bytes and 64 requests ahead, and a hundred modest ones, which ask for
/// `modest` bytes at a time, while the key brings a fraction of what they could take.
///
/// # Panics
/// When the server hangs up.
#[must_use]
pub fn shares(modest: u8, span: Duration) -> Shares {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(8000));
    // A modest client of 16 bytes has to ask eighty times a second for its share: nobody but the two ends may take its turns.
    prefer(&[daemon.program.id()]);
    prefer_this_thread();
    let mut load = Load::new().with(100, Habit::greedy(), &daemon.egd).with(100, Habit::steady(modest), &daemon.egd);
    // What the pool held at the start is gone after this.
    let _ = load.run_for(Duration::from_secs(1));
    let measured = load.run_for(span);
    assert!(measured.is_flawless(), "{} clients were hung up on: {:?}", measured.lost, measured.requests);
    let due = measured.bytes.iter().sum::<u64>() as f64 / measured.bytes.len() as f64;
    let parts = |clients: &[u64]| {
        let mut parts = clients.iter().map(|bytes| *bytes as f64 / due).collect::<Vec<_>>();
        parts.sort_by(f64::total_cmp);
        parts
    };
    Shares { due, greedy: parts(&measured.bytes[..100]), modest: parts(&measured.bytes[100..]) }
}

/// Our daemon serving on a software key, with the first entropy there.
///
/// # Panics
/// When there is none within 20 s.
#[must_use]
pub fn ours(plan: &KeyPlan) -> (Scratch, SoftwareKey, Daemon) {
    ours_with(plan, |daemon| daemon)
}

/// Like [`ours`], with what `more` adds to the daemon's plan.
///
/// # Panics
/// When there is no entropy within 20 s.
#[must_use]
pub fn ours_with(plan: &KeyPlan, more: impl FnOnce(DaemonPlan) -> DaemonPlan) -> (Scratch, SoftwareKey, Daemon) {
    let scratch = Scratch::make();
    let key = plan.plug_in(&scratch);
    let daemon = more(DaemonPlan::default().key(plan, &key).egd()).start(&scratch);
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    await_until("the first entropy", Duration::from_secs(20), || {
        (client.available_bits().expect("the EGD server answers") > 0).then_some(())
    });
    (scratch, key, daemon)
}
