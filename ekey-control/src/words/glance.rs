//! A status in a person's words: the rows of the terminal's screen and of the page, and the one line that says whether all is well.

use super::{advice, amount};
use crate::status::health::HealthStatus;
use crate::status::state::KeyState;
use crate::status::{
    CombineStatus, EgdClientState, EgdClientStatus, EgdStatus, EgdTlsStatus, ExpandStatus, FileStatus, KernelEra,
    KernelStatus, KeyStatus, Sensors, Status,
};

/// With more listeners than this the rest is only counted.
const EGD_ROWS: usize = 3;

/// Said wherever a software key is in use.
pub const NOT_RANDOM: &str = "THIS DATA IS NOT RANDOM (software key): for tests only, never for secrets.";

/// A name and what is to be said of it.
pub type Row = (&'static str, String);

/// How a state is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should be.
    Good,
    /// Soon as it should be.
    Soon,
    /// Somebody should do something.
    Bad,
}

/// How a key's state is to be taken.
pub fn mood(state: KeyState) -> Mood {
    match state {
        _ if state.is_running() => Mood::Good,
        _ if state.is_okay() => Mood::Soon,
        _ => Mood::Bad,
    }
}

/// How a key is to be taken: one that is put aside or cannot be opened is of no use, whatever its state.
pub fn key_mood(key: &KeyStatus) -> Mood {
    if key.put_aside().is_some() || key.hindrance().is_some() { Mood::Bad } else { mood(key.state) }
}

/// The key's serial number, its state, and since when.
pub fn key_title(key: &KeyStatus) -> String {
    let serial = key.known_serial().unwrap_or("(serial number not known)");
    if let Some(aside) = key.put_aside().filter(|_| key.state.is_okay()) {
        let since = amount::duration(aside.since_s);
        return format!("Key {}  {serial}  put aside: {} test failed, for {since}", key.number, aside.test);
    }
    format!("Key {}  {serial}  {}, for {}", key.number, advice::words(key.state), amount::duration(key.since_s))
}

/// Everything about one key.
pub fn key_rows(key: &KeyStatus) -> Vec<Row> {
    let mut rows = vec![("node", format!("{} ({})", key.path, key.transport.name()))];
    if let Some(detail) = &key.detail {
        rows.push(("detail", detail.clone()));
    }
    let last = key
        .last_frame_ms
        .map_or_else(|| "no frame yet".to_owned(), |ms| format!("last frame {} ago", amount::milliseconds(ms)));
    let (verified, rate) = (amount::bytes(key.entropy_bytes), amount::rate(key.rate_bytes_per_s));
    let sessions = &key.connection;
    rows.extend([
        ("entropy", format!("{verified} verified, {rate}, {last}")),
        ("frames", frames(key)),
        (
            "sessions",
            format!(
                "session keys {}, resets sent {}, steps of reviving {}",
                sessions.rekeys, sessions.resets, key.recoveries
            ),
        ),
        ("sensors", sensors(&key.sensors)),
    ]);
    // There is room for one of the two; of a key that is put aside they say the same.
    let health = key.health.as_ref().filter(|_| key.detail.is_none());
    rows.extend(health.map(|health| ("health", self::health(health))));
    rows
}

/// How the state of fetching from another machine is to be taken.
pub fn server_mood(client: &EgdClientStatus) -> Mood {
    match client.state {
        EgdClientState::Connected => Mood::Good,
        EgdClientState::Connecting => Mood::Soon,
        EgdClientState::Resting => Mood::Bad,
    }
}

/// The server that entropy is fetched from, and how that is going.
pub fn server_title(client: &EgdClientStatus) -> String {
    let since = match (amount::duration(client.since_s), client.is_connected()) {
        (since, true) => format!(", for {since}"),
        (since, false) => format!(", no server for {since}"),
    };
    let address = client.address.as_ref().map_or_else(String::new, |address| format!(" ({address})"));
    format!("EGD server  {}{since}  {}{address}", client.state.word(), client.server)
}

/// What was fetched: from a source as a key is one, but nothing proves its bytes.
pub fn server_rows(client: &EgdClientStatus) -> Vec<Row> {
    let proof = if client.proven { "" } else { " (no MAC proves them)" };
    let (bytes, requests) = (amount::bytes(client.received_bytes), amount::many(client.requests, "request"));
    let (reconnects, failures) =
        (amount::many(client.reconnects, "reconnect"), amount::many(client.failures, "failure"));
    vec![("fetched", format!("{bytes}{proof}, {requests}, {reconnects}, {failures}"))]
}

/// The pool, the outputs and the keyring.
pub fn output_rows(status: &Status) -> Vec<Row> {
    let pool = &status.pool;
    let (held, room) = (amount::bytes(pool.bytes), amount::bytes(pool.capacity));
    let (received, lost) = (amount::bytes(pool.received_bytes), amount::bytes(pool.overflowed_bytes));
    let off = || "off".to_owned();
    let mut rows = vec![
        ("pool", format!("{held} of {room} held, {received} received, {lost} not needed")),
        ("kernel", status.kernel.as_ref().map_or_else(off, kernel)),
        ("file", status.file.as_ref().map_or_else(off, file)),
    ];
    rows.extend(status.combine.as_ref().map(|combine| ("combine", combined(combine))));
    if status.egd.is_empty() {
        rows.push(("egd", off()));
    }
    rows.extend(listeners("egd", &status.egd));
    rows.extend(status.egd.iter().find_map(|listener| listener.tls.as_ref()).map(|found| ("tls", tls(found))));
    if status.offered_bytes > 0 {
        let offered = amount::bytes(status.offered_bytes);
        rows.push(("offered", format!("{offered} by clients, mixed into the kernel without credit")));
    }
    if let Some(expand) = &status.expand {
        rows.push(("expand", expanded(expand)));
        rows.extend(listeners("expand", &expand.listeners));
    }
    let keyring = &status.keyring;
    let held = match keyring.problem {
        Some(_) => "not readable".to_owned(),
        None => amount::many(keyring.keys, "long-term key"),
    };
    rows.push(("keyring", format!("{}, {held}", keyring.path)));
    rows.extend(status.confinement.as_ref().map(|confinement| ("sandbox", confinement.line())));
    rows
}

/// That all is well, if nothing is to be advised. Of a software key only that nothing else is wrong.
pub fn all_is_well(status: &Status) -> String {
    let keys = amount::many(status.keys.len(), "key");
    if status.not_random {
        return format!("{keys} running, nothing is wrong but this:");
    }
    match (status.keys.is_empty(), &status.egd_client) {
        (_, None) => format!("All is well: {keys} running."),
        (false, Some(_)) => format!("All is well: {keys} running, EGD server connected."),
        (true, Some(_)) => "All is well: EGD server connected.".to_owned(),
    }
}

/// A temperature.
pub fn celsius(decikelvin: u32) -> f64 {
    f64::from(decikelvin) / 10.0 - 273.15
}

fn frames(key: &KeyStatus) -> String {
    let counts = &key.frames;
    let faults: Vec<String> = [
        (counts.framing_errors, "broken"),
        (counts.mac_failures, "wrong MAC"),
        (counts.replayed, "replayed"),
        (counts.gaps, "missing"),
        (counts.malformed, "malformed"),
        (counts.unknown_types, "of unknown type"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    let faults = if faults.is_empty() { "none bad".to_owned() } else { faults.join(", ") };
    format!("{} good, {faults}", counts.ok)
}

fn sensors(sensors: &Sensors) -> String {
    let mut parts = Vec::new();
    if let Some(decikelvin) = sensors.temperature_decikelvin {
        parts.push(format!("{:.1} C", celsius(decikelvin)));
    }
    if let Some(millivolts) = sensors.supply_millivolts {
        parts.push(format!("{:.2} V", f64::from(millivolts) / 1000.0));
    }
    if let Some(fips) = sensors.fips {
        parts.push(format!("FIPS {} of {} failed", fips.failures, fips.blocks));
    }
    if let Some(generators) = sensors.generators.filter(|generators| generators.raw_bytes > 0) {
        let per_byte = |estimate: u32| f64::from(estimate) / f64::from(generators.raw_bytes);
        parts.push(format!("raw {:.2} and {:.2} bits/byte", per_byte(generators.left), per_byte(generators.right)));
    }
    if parts.is_empty() { "nothing said yet".to_owned() } else { parts.join(", ") }
}

fn health(health: &HealthStatus) -> String {
    let tested = amount::bytes(health.tested_bytes);
    let fips = format!("{} of {} blocks fail FIPS", health.fips_failures, health.fips_blocks);
    match (&health.put_aside, health.times_put_aside) {
        (Some(aside), _) => format!("FAILED at byte {}: {}", aside.at_byte, aside.what),
        (None, 0) => format!("all tests passed on {tested}, {fips}"),
        (None, times) => format!("{tested} tested, {fips}, put aside {} so far", amount::many(times, "time")),
    }
}

fn kernel(kernel: &KernelStatus) -> String {
    let ready = if kernel.ready { "ready" } else { "NOT READY YET" };
    let right = if kernel.privileged { "" } else { ", may not credit" };
    let era = match kernel.era {
        Some(KernelEra::Before2022) => "pool of before 2022",
        Some(KernelEra::Since2022) => "since 2022",
        None => "cannot be opened",
    };
    format!(
        "{} mixed in, {} bits credited{right}, {ready} ({era})",
        amount::bytes(kernel.mixed_bytes),
        kernel.credited_bits
    )
}

fn file(file: &FileStatus) -> String {
    let most = file.max_bytes.map_or_else(String::new, |most| format!(" of {}", amount::bytes(most)));
    let stopped = file.stopped.as_ref().map_or_else(String::new, |why| format!(", stopped: {why}"));
    format!("{}{most} to {}{stopped}", amount::bytes(file.written_bytes), file.path)
}

fn combined(combine: &CombineStatus) -> String {
    let (made, used) = (amount::bytes(combine.out_bytes), amount::bytes(combine.in_bytes));
    format!("{made} made of {used} of several keys, {} ready", amount::bytes(combine.ready_bytes))
}

/// What new TLS clients are shown, and how the last one fared who was refused.
fn tls(tls: &EgdTlsStatus) -> String {
    let until = tls.valid_until.get(..10).unwrap_or_default();
    let half_open = if tls.half_open > 0 { format!(", {} in the handshake", tls.half_open) } else { String::new() };
    let refused = tls.last_refusal.as_ref().map_or_else(String::new, |last| format!(", refused {last}"));
    format!("certificate till {until}{half_open}{refused}")
}

fn expanded(expand: &ExpandStatus) -> String {
    let made = amount::bytes(expand.generated_bytes);
    let seeds = amount::many(expand.seeds, "seed");
    let last = expand.seed_age_s.map_or_else(String::new, |age| format!(", the last {} ago", amount::duration(age)));
    format!("NOT FULL ENTROPY: {made} made of {seeds}{last}")
}

fn listeners(name: &'static str, listeners: &[EgdStatus]) -> impl Iterator<Item = Row> {
    let more = listeners.len().saturating_sub(EGD_ROWS);
    let more = (more > 0).then(|| (name, format!("and {more} more listeners")));
    listeners.iter().take(EGD_ROWS).flat_map(move |listener| egd(name, listener)).chain(more)
}

/// One row, and another if there is more to tell.
fn egd(name: &'static str, egd: &EgdStatus) -> impl Iterator<Item = Row> {
    let (served, clients) = (amount::bytes(egd.served_bytes), amount::many(egd.clients, "client"));
    let refused = egd.refused + egd.tls.as_ref().map_or(0, |tls| tls.refused);
    let row = format!("{served} to {clients} ({} waiting) on {}", egd.waiting, egd.listen);
    let sent_away: Vec<String> = [("refused", refused), ("denied", egd.denied), ("let go as idle", egd.dropped_idle)]
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    let sent_away = (!sent_away.is_empty()).then(|| format!("  clients {}", sent_away.join(", ")));
    [(name, row)].into_iter().chain(sent_away.map(|text| (name, text)))
}
