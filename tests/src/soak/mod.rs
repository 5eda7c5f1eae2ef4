//! The soak: the real daemon with four faulty keys, every output, a steady crowd of clients, reloads, clock jumps,
//! suspensions and restarts, for minutes or hours; every served byte is compared with the keys' logs.
//!
//! The plan follows from a seed. The machine's timing does not, so a finding often returns with the same seed, but not
//! always.

mod account;
mod chance;
mod clerk;
mod crowd;
mod events;
mod keeper;
mod keys;
mod plan;
mod report;
mod samples;
mod settled;
mod stretch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

pub use account::Compared;
pub use report::Report;
pub use samples::Sample;
pub use stretch::Lines;

use crate::books::{OnTheWay, add_up};
use crate::scratch::Scratch;
use crate::status::Status;
use clerk::{Clerk, Note};
use crowd::{Count, Crowd, Manner};
use keeper::Keeper;
use keys::{SLOTS, STEADFAST, Slot};
use plan::COMES_AND_GOES;
use stretch::Stretch;

/// How long a key that could work may bring nothing. A hung key recovers within seconds; the daemon tries one that it
/// misjudged again after a minute.
const MOST_SILENCE: Duration = Duration::from_secs(300);
/// The number of findings that ends the soak.
const ENOUGH: usize = 30;

/// The first listeners are for clients that take all that they ask for.
const POLITE: usize = 2;

/// The settings of a soak.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// How long it runs.
    pub span: Duration,
    /// The seed of every choice.
    pub seed: u64,
}

/// Runs a soak. Calls `say` with a line for each finding, and about once a minute.
///
/// # Panics
/// When the programs are not built, or the machine refuses what the soak needs.
pub fn soak(order: Order, mut say: impl FnMut(&str, &Report)) -> Report {
    let mut soak = Soak::begin(order);
    let mut said = 0;
    let mut next_word = Duration::from_secs(60);
    let mut tell = |soak: &mut Soak| {
        soak.collect();
        for finding in &soak.report.findings[said..] {
            say(finding, &soak.report);
        }
        said = soak.report.findings.len();
        if soak.report.lasted >= next_word {
            next_word = soak.report.lasted + Duration::from_secs(60);
            say(&soak.report.line(), &soak.report);
        }
        said < ENOUGH
    };
    for (at, what) in plan::schedule(order.seed, order.span) {
        while soak.begun.elapsed() < at.min(order.span) {
            soak.look();
            if !tell(&mut soak) {
                break;
            }
            let left = at.saturating_sub(soak.begun.elapsed());
            std::thread::sleep(left.min(soak.pace));
        }
        if soak.begun.elapsed() >= order.span || !tell(&mut soak) {
            break;
        }
        soak.carry_out(&what);
    }
    soak.end();
    tell(&mut soak);
    let Soak { report, scratch, .. } = soak;
    if !report.findings.is_empty() {
        scratch.keep();
    }
    report
}

struct Soak {
    begun: Instant,
    /// Time between two looks.
    pace: Duration,
    scratch: Scratch,
    slots: [Slot; SLOTS],
    stretches: [Stretch; STEADFAST],
    keeper: Keeper,
    clerk: Clerk,
    crowd: Option<Crowd>,
    /// Of each listener's clients.
    counts: [Arc<Count>; 4],
    /// What those had received before this daemon.
    got_before: [u64; 4],
    /// What the output file had before this daemon.
    file_before: u64,
    progress: [(u64, Instant); SLOTS],
    struck_before: BTreeMap<&'static str, u64>,
    /// What earlier daemons verified.
    verified_before: u64,
    counters: Counters,
    report: Report,
}

/// Counters of the status that restart with each daemon, key or connection, added up.
#[derive(Default)]
struct Counters {
    last: BTreeMap<String, u64>,
    sums: BTreeMap<String, u64>,
}

impl Counters {
    fn see(&mut self, name: &str, place: &str, count: &Value) {
        let now = count.as_u64().unwrap_or_default();
        let before = self.last.insert(place.to_owned(), now).unwrap_or_default();
        *self.sums.entry(name.to_owned()).or_default() += now.checked_sub(before).unwrap_or(now);
    }
}

impl Soak {
    fn begin(order: Order) -> Self {
        let scratch = Scratch::make();
        let mut slots = std::array::from_fn(|number| Slot::new(number, order.seed));
        let keeper = Keeper::start(&scratch, &slots, order.seed);
        let clerk = Clerk::begin(keeper.output.clone());
        for slot in &mut slots {
            // The clerk must know the key before it sends anything.
            let log = slot.next_log(&scratch);
            clerk.note(Note::Plugged(log.clone()));
            slot.plug_in(&scratch, None, &log);
        }
        let counts: [Arc<Count>; 4] = Default::default();
        let mut crowd = Crowd::new(order.seed, clerk.notes.clone());
        for (number, (door, count)) in keeper.doors.iter().zip(&counts).enumerate() {
            let manners = if number < POLITE {
                [(8, Manner::Steady), (2, Manner::Greedy)]
            } else {
                [(3, Manner::Vanishing), (3, Manner::Rude)]
            };
            manners.into_iter().for_each(|(clients, manner)| crowd.hire(clients, manner, door, count));
        }
        let pace =
            if order.span < Duration::from_secs(120) { Duration::from_millis(500) } else { Duration::from_secs(2) };
        let report = Report::new(order, keeper.has_clock(), scratch.folder());
        let begun = Instant::now();
        Self {
            begun,
            pace,
            scratch,
            slots,
            stretches: Default::default(),
            keeper,
            clerk,
            crowd: Some(crowd),
            counts,
            got_before: [0; 4],
            file_before: 0,
            progress: [(0, begun); SLOTS],
            struck_before: BTreeMap::new(),
            verified_before: 0,
            counters: Counters::default(),
            report,
        }
    }

    fn find(&mut self, what: &str) {
        let at = self.begun.elapsed().as_secs_f64();
        self.report.findings.push(format!("at {at:.1} s: {what}"));
    }

    /// Returns the status; a daemon that gives none is a finding.
    fn status(&mut self) -> Option<Status> {
        if let Some(ended) = self.keeper.daemon.ended() {
            self.find(&format!("the daemon has ended by itself: {ended}"));
            self.keeper.spawn(&self.scratch);
            return None;
        }
        self.keeper.status().map_err(|complaint| self.find(&complaint)).ok()
    }

    /// Takes a sample, and checks what must hold at any moment.
    fn look(&mut self) {
        for statement in ["ListEntropyKeys()", "StatEntropyKey(\"1\")", "History()"] {
            // Other tests check these answers; here they are load.
            let _ = self.keeper.say(statement);
        }
        let Some(status) = self.status() else { return };
        if let Err(discrepancy) = add_up(&status, OnTheWay::Some) {
            self.find(&format!("the books do not add up: {discrepancy}: {status}"));
        }
        self.report.looks += 1;
        let clients = (0..4).map(|egd| status.count(&format!("/egd/{egd}/clients"))).sum();
        let process = self.keeper.daemon.id();
        self.report.samples.push(Sample::take(self.begun.elapsed(), self.keeper.lives, process, clients));
        self.check_supply(&status);
        self.figures(&status);
    }

    /// Reports each key that could bring entropy and does not.
    fn check_supply(&mut self, status: &Status) {
        for slot in 0..SLOTS {
            let could = self.slots[slot].key.as_ref().is_some_and(|plugged| !plugged.is_mortal)
                && (slot != COMES_AND_GOES || (self.keeper.is_configured && self.keeper.is_in_keyring));
            let verified = self.verified(status, slot);
            if !could || self.progress[slot].0 != verified {
                self.progress[slot] = (verified, Instant::now());
            } else if self.progress[slot].1.elapsed() > MOST_SILENCE {
                let key = status.key_at(&self.slots[slot].path(&self.scratch).display().to_string());
                let (seconds, key) = (MOST_SILENCE.as_secs(), key.map(|key| format!("{key:?}")));
                self.find(&format!("key {slot} brought nothing for {seconds} s: {key:?}"));
                self.progress[slot].1 = Instant::now();
            }
        }
    }

    /// Returns the bytes that the daemon has verified of a slot's keys since its start or since the key was added.
    fn verified(&self, status: &Status, slot: usize) -> u64 {
        let path = self.slots[slot].path(&self.scratch).display().to_string();
        status.key_at(&path).map_or(0, |key| key.books("verified_bytes"))
    }

    fn figures(&mut self, status: &Status) {
        let root = status.root();
        let keys = || root["keys"].as_array().into_iter().flatten();
        let verified = keys().map(|key| &key["books"]).chain([&root["books"]["departed_keys"]]);
        let verified = verified.filter_map(|books| books["verified_bytes"].as_u64()).sum::<u64>();
        self.report.verified_bytes = self.verified_before + verified;
        for key in keys() {
            for (name, count) in key["frames"].as_object().into_iter().flatten() {
                self.counters.see(name, &format!("{} {name}", key["path"]), count);
            }
            for name in ["recoveries", "resets", "rekeys"] {
                let count = if name == "recoveries" { &key[name] } else { &key["connection"][name] };
                self.counters.see(name, &format!("{} {name}", key["path"]), count);
            }
        }
        for place in ["/kernel/mixed_bytes", "/pool/overflowed_bytes", "/pool/wiped_bytes"] {
            self.counters.see(place, place, root.pointer(place).unwrap_or(&Value::Null));
        }
        self.report.counted = self.counters.sums.clone();
    }

    /// Updates the report with what the clerk and the crowd know.
    fn collect(&mut self) {
        for complaint in self.clerk.complaints() {
            self.find(&complaint);
        }
        let report = &mut self.report;
        report.lasted = self.begun.elapsed();
        (report.compared, report.file_bytes) = self.clerk.compared();
        report.sent_bytes = self.slots.iter().map(|slot| slot.sent() * 32).sum();
        report.client_bytes = self.counts.iter().map(|count| count.bytes.load(Ordering::Relaxed)).sum();
        report.connections = self.counts.iter().map(|count| count.connections.load(Ordering::Relaxed)).sum();
        let mut struck = self.struck_before.clone();
        for (name, times) in self.slots.iter().filter_map(|slot| slot.key.as_ref()).flat_map(keys::Plugged::struck) {
            *struck.entry(name).or_default() += times;
        }
        report.faults = struck;
    }
}
