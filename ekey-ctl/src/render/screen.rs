//! The status on one screen: for one key at most 24 lines of 80 columns, whatever the daemon reports.

mod egd_client;

use ekey_control::status::{CombineStatus, EgdStatus, FileStatus, KernelEra, KernelStatus, KeyStatus, Sensors};
use ekey_control::{KeyState, Status};

use crate::render::paint::{Line, Tone, narrow};
use crate::render::{advice, amount};

const WIDTH: usize = 80;
const HEIGHT: usize = 24;
/// With more listeners than this the rest is only counted.
const EGD_LINES: usize = 3;

/// Said wherever a software key is in use.
pub(crate) const NOT_RANDOM: &str = "THIS DATA IS NOT RANDOM (software key): for tests only, never for secrets.";

/// The whole screen. The last line says whether all is well, and if not, what to do.
pub(crate) fn lines(status: &Status) -> Vec<Line> {
    let mut lines = vec![head(status)];
    if status.not_random {
        lines.push(Line::bad("*** NOT RANDOM *** NOT RANDOM *** software key *** NOT RANDOM *** NOT RANDOM ***"));
    }
    match status.keys.as_slice() {
        [] if status.egd_client.is_some() => {}
        [] => lines.push(Line::bad("No key")),
        [key] => lines.extend(one_key(key)),
        keys => lines.extend(keys.iter().flat_map(one_of_many)),
    }
    lines.extend(status.egd_client.iter().flat_map(egd_client::lines));
    lines.extend(outputs(status));
    lines.push(Line::plain(""));
    let mut lines: Vec<Line> = lines.into_iter().map(|line| line.fit(WIDTH)).collect();
    // Several keys may take more than a screen; then each keeps its advice.
    let room = if status.keys.len() > 1 { usize::MAX } else { HEIGHT.saturating_sub(lines.len()) };
    lines.extend(verdict(status, room));
    lines
}

fn head(status: &Status) -> Line {
    let up = amount::duration(status.uptime_s);
    Line::new(Tone::Head, &format!("ekeyd {}  pid {}  up {up}  {}", status.version, status.pid, status.control))
}

fn title(key: &KeyStatus) -> Line {
    let serial = key.known_serial().unwrap_or("(serial number not known)");
    let words = format!("{}, for {}", advice::words(&key.state), amount::duration(key.since_s));
    Line::new(tone(&key.state), &format!("Key {}  {serial}  {words}", key.number))
}

fn tone(state: &KeyState) -> Tone {
    match state {
        KeyState::Running => Tone::Good,
        _ if state.is_okay() => Tone::Warn,
        _ => Tone::Bad,
    }
}

fn one_key(key: &KeyStatus) -> Vec<Line> {
    let mut lines = vec![title(key), row("node", &format!("{} ({})", key.path, key.transport.word()))];
    if let Some(detail) = &key.detail {
        lines.push(row("detail", detail));
    }
    let last = key
        .last_frame_ms
        .map_or_else(|| "no frame yet".to_owned(), |ms| format!("last frame {} ago", amount::milliseconds(ms)));
    let (verified, rate) = (amount::bytes(key.entropy_bytes), amount::rate(key.rate_bytes_per_s));
    let sessions = &key.connection;
    lines.extend([
        row("entropy", &format!("{verified} verified, {rate}, {last}")),
        row("frames", &frames(key)),
        row(
            "sessions",
            &format!(
                "session keys {}, resets sent {}, steps of reviving {}",
                sessions.rekeys, sessions.resets, key.recoveries
            ),
        ),
        row("sensors", &sensors(&key.sensors)),
    ]);
    lines
}

fn one_of_many(key: &KeyStatus) -> [Line; 2] {
    let (verified, rate) = (amount::bytes(key.entropy_bytes), amount::rate(key.rate_bytes_per_s));
    let dropped = key.frames.dropped().saturating_add(key.frames.framing_errors);
    [
        title(key),
        Line::plain(&format!(
            "  {verified} verified, {rate}, {dropped} bad frames, {} ({})",
            key.path,
            key.transport.word()
        )),
    ]
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
        parts.push(format!("{:.1} C", f64::from(decikelvin) / 10.0 - 273.15));
    }
    if let Some(millivolts) = sensors.supply_millivolts {
        parts.push(format!("{:.2} V", f64::from(millivolts) / 1000.0));
    }
    if let Some(fips) = sensors.fips {
        parts.push(format!("FIPS {} of {} failed", fips.failures, fips.frames));
    }
    if let Some(shannon) = sensors.shannon.filter(|shannon| shannon.raw_bytes > 0) {
        let per_byte = |estimate: u32| f64::from(estimate) / f64::from(shannon.raw_bytes);
        parts.push(format!("raw {:.2} and {:.2} bits/byte", per_byte(shannon.left), per_byte(shannon.right)));
    }
    if parts.is_empty() { "nothing said yet".to_owned() } else { parts.join(", ") }
}

fn outputs(status: &Status) -> Vec<Line> {
    let pool = &status.pool;
    let (held, room) = (amount::bytes(pool.bytes), amount::bytes(pool.capacity));
    let (received, lost) = (amount::bytes(pool.received_bytes), amount::bytes(pool.overflowed_bytes));
    let mut lines = vec![
        Line::plain(""),
        Line::new(Tone::Head, "Outputs"),
        row("pool", &format!("{held} of {room} held, {received} received, {lost} not needed")),
        row("kernel", &status.kernel.as_ref().map_or_else(|| "off".to_owned(), kernel)),
        row("file", &status.file.as_ref().map_or_else(|| "off".to_owned(), file)),
    ];
    lines.extend(status.combine.as_ref().map(combine));
    if status.egd.is_empty() {
        lines.push(row("egd", "off"));
    }
    lines.extend(status.egd.iter().take(EGD_LINES).map(egd));
    if status.egd.len() > EGD_LINES {
        lines.push(row("egd", &format!("and {} more listeners", status.egd.len() - EGD_LINES)));
    }
    let keyring = &status.keyring;
    let held = match keyring.problem {
        Some(_) => "not readable".to_owned(),
        None => amount::many(keyring.keys, "long-term key"),
    };
    lines.push(row("keyring", &format!("{}, {held}", keyring.path)));
    lines
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

fn combine(combine: &CombineStatus) -> Line {
    let (made, used) = (amount::bytes(combine.out_bytes), amount::bytes(combine.in_bytes));
    let text = format!("{made} made of {used} of several keys, {} ready", amount::bytes(combine.ready_bytes));
    row("combine", &text)
}

fn egd(egd: &EgdStatus) -> Line {
    let refused = if egd.refused > 0 { format!(", {} refused", egd.refused) } else { String::new() };
    let (served, clients) = (amount::bytes(egd.served_bytes), amount::many(egd.clients, "client"));
    row("egd", &format!("{served} to {clients} ({} waiting{refused}) on {}", egd.waiting, egd.listen))
}

fn row(name: &str, text: &str) -> Line {
    Line::plain(&format!("  {name:<9} {text}"))
}

fn verdict(status: &Status, room: usize) -> Vec<Line> {
    let advice = advice::advice(status);
    let not_random = usize::from(status.not_random);
    let mut lines = Vec::new();
    if advice.is_empty() {
        let keys = amount::many(status.keys.len(), "key");
        lines.push(if status.not_random {
            Line::new(Tone::Warn, &format!("{keys} running, nothing is wrong but this:"))
        } else {
            let well = match (status.keys.is_empty(), &status.egd_client) {
                (_, None) => format!("{keys} running"),
                (false, Some(_)) => format!("{keys} running, EGD server connected"),
                (true, Some(_)) => "EGD server connected".to_owned(),
            };
            Line::new(Tone::Good, &format!("All is well: {well}."))
        });
    }
    let room = room.saturating_sub(not_random);
    for (index, text) in advice.iter().enumerate() {
        let more = advice.len() - index;
        // The last line is kept for the count of what does not fit.
        let reserve = usize::from(more > 1);
        let left = room.saturating_sub(lines.len());
        if more > 1 && left < 2 {
            lines.push(
                Line::new(Tone::Warn, &format!("And {more} more: `ekey-ctl status --json` has them all.")).fit(WIDTH),
            );
            break;
        }
        lines.extend(wrap(text, left.saturating_sub(reserve).max(1)).iter().map(|line| Line::new(Tone::Warn, line)));
    }
    if status.not_random {
        lines.push(Line::bad(NOT_RANDOM));
    }
    lines
}

/// Breaks a text between words into at most `most` lines of the screen's width.
fn wrap(text: &str, most: usize) -> Vec<String> {
    let text = narrow(text);
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH || lines.len() == most {
            let line = &mut lines[last];
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.into_iter().map(|line| Line::plain(&line).fit(WIDTH).text).collect()
}

#[cfg(test)]
mod tests;
