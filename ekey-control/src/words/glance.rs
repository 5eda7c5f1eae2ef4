//! A status in words: the rows of the terminal's screen and of the page, and the one line that says whether all is well.

use super::parts::{self, Role};
pub use super::parts::{Row, server_rows};
use super::{advice, amount};
use crate::status::state::KeyState;
use crate::status::{EgdClientState, EgdClientStatus, KeyStatus, Sensors, ServerTests, Status};

/// The warning about a software key, wherever one is in use.
pub const NOT_RANDOM: &str = "THIS DATA IS NOT RANDOM (software key): for tests only, never for secrets.";

/// How good a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should be.
    Good,
    /// Soon as it should be.
    Soon,
    /// A person should do something.
    Bad,
}

/// Returns how good a state is.
pub fn mood(state: KeyState) -> Mood {
    match state {
        _ if state.is_running() => Mood::Good,
        _ if state.is_okay() => Mood::Soon,
        _ => Mood::Bad,
    }
}

/// Returns how good a key's state is. A key that failed a health test or cannot be opened is bad, whatever its state.
pub fn key_mood(key: &KeyStatus) -> Mood {
    match mood(key.state) {
        _ if key.put_aside().is_some() || key.hindrance().is_some() => Mood::Bad,
        Mood::Good if key.doubtful => Mood::Soon,
        mood => mood,
    }
}

/// The mark of what a key says before it has proven who it is: anyone can say that.
const UNVERIFIED: &str = "unverified";

/// Returns the key's serial number, its state, and for how long it has been in it.
pub fn key_title(key: &KeyStatus) -> String {
    let serial = match (key.known_serial(), &key.serial) {
        (None, _) => "(serial number not known)".to_owned(),
        (Some(_), Some(claimed)) if key.unverified => format!("{claimed} ({UNVERIFIED})"),
        (Some(serial), _) => serial.to_owned(),
    };
    if let Some(aside) = key.put_aside().filter(|_| key.state.is_okay()) {
        let since = amount::duration(aside.since_s);
        return format!("Key {}  {serial}  retired: {} test failed, for {since}", key.number, aside.test);
    }
    format!("Key {}  {serial}  {}, for {}", key.number, advice::words(key.state), amount::duration(key.since_s))
}

/// Returns the figures of a key that runs, for the line that stands for its rows: its rate, temperature and voltage.
pub fn key_line(key: &KeyStatus) -> String {
    let now = key.sensors_now().map(environment).unwrap_or_default();
    [amount::rate(key.rate_bytes_per_s)].into_iter().chain(now).collect::<Vec<_>>().join(", ")
}

/// Returns the keys, those that need a person first, then those that will soon run.
pub fn worst_first(keys: &[KeyStatus]) -> Vec<&KeyStatus> {
    let mut keys: Vec<&KeyStatus> = keys.iter().collect();
    keys.sort_by_key(|key| match key_mood(key) {
        Mood::Bad => 0,
        Mood::Soon => 1,
        Mood::Good => 2,
    });
    keys
}

/// Returns the rows of one key.
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
        ("sensors", sensors(key)),
    ]);
    // There is room for one of the two. Of a key that failed a health test they say the same.
    let health = key.health.as_ref().filter(|_| key.detail.is_none());
    rows.extend(health.map(|health| ("health", parts::health(health))));
    rows
}

/// Returns how good the state of fetching from another machine is. A server that failed a health test is bad, whatever the state.
pub fn server_mood(client: &EgdClientStatus) -> Mood {
    match client.state {
        _ if client.current().is_some_and(|tests| tests.put_aside().is_some()) => Mood::Bad,
        EgdClientState::Connected if !client.is_delivering() => Mood::Soon,
        EgdClientState::Connected => Mood::Good,
        EgdClientState::Connecting => Mood::Soon,
        EgdClientState::Resting => Mood::Bad,
    }
}

/// Returns the server that entropy is fetched from, and the state of the connection.
pub fn server_title(client: &EgdClientStatus) -> String {
    let since = match (amount::duration(client.since_s), client.is_connected()) {
        (since, true) => format!(", for {since}"),
        (since, false) => format!(", no server for {since}"),
    };
    let address = client.address.as_ref().map_or_else(String::new, |address| format!(" ({address})"));
    if let Some(aside) = client.current().and_then(ServerTests::put_aside) {
        let since = amount::duration(aside.since_s);
        return format!("EGD server  retired: {} test failed, for {since}  {}{address}", aside.test, client.server);
    }
    format!("EGD server  {}{since}  {}{address}", client.state.word(), client.server)
}

/// Returns the rows of all parts but the sources, which are shown like keys.
pub fn output_rows(status: &Status) -> Vec<Row> {
    status.parts().into_iter().filter(|part| part.role != Role::Source).flat_map(|part| part.rows).collect()
}

/// Returns the line for a status without advice: all is well. Of a software key it says only that nothing else is wrong.
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

/// The part of lost frames above which the screen names it.
const LOSS_TO_NAME: f64 = 0.01;

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
    let lost = counts.loss().filter(|lost| *lost > LOSS_TO_NAME);
    let lost = lost.map_or_else(String::new, |lost| format!(": {:.1} % LOST", lost * 100.0));
    format!("{} good, {faults}{lost}", counts.ok)
}

/// Returns the key's temperature and voltage, as far as it has sent them.
fn environment(sensors: &Sensors) -> Vec<String> {
    let temperature = sensors.temperature_decikelvin.map(amount::temperature);
    temperature.into_iter().chain(sensors.supply_millivolts.map(amount::volts)).collect()
}

fn sensors(key: &KeyStatus) -> String {
    let sensors = &key.sensors;
    let mut parts = environment(sensors);
    if let Some(fips) = sensors.fips {
        parts.push(format!("FIPS {} of {} failed", fips.failures, fips.blocks));
    }
    if let Some(generators) = sensors.generators.filter(|generators| generators.raw_bytes > 0) {
        let per_byte = |estimate: u32| f64::from(estimate) / f64::from(generators.raw_bytes);
        parts.push(format!("raw {:.2} and {:.2} bits/byte", per_byte(generators.left), per_byte(generators.right)));
    }
    let old = if key.sensors_now().is_none() { "when it last ran: " } else { "" };
    match (parts.join(", "), key.unverified) {
        (parts, _) if parts.is_empty() => "nothing said yet".to_owned(),
        (parts, true) => format!("{UNVERIFIED}: {parts}"),
        (parts, false) => format!("{old}{parts}"),
    }
}
