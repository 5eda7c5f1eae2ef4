//! Shows the status on one screen. One key takes fewer than 24 lines of 80 columns, whatever the daemon reports.

use ekey_control::glance::{self, Mood, NOT_RANDOM};
use ekey_control::status::EgdClientStatus;
use ekey_control::{KeyStatus, Status, advice, amount};

use crate::render::paint::{Line, Tone};

/// The narrowest terminal on which lines are shortened: on a narrower one they are broken.
pub(crate) const WIDTH: usize = 80;
/// A terminal of 24 lines needs one for its prompt.
const HEIGHT: usize = 23;
/// Lines reserved for advice.
const ADVICE_LINES: usize = 2;
/// The rows to leave out first if the screen is full.
const GIVE_WAY: [&str; 7] = ["sessions", "keyring", "file", "credit", "offered", "tls", "sandbox"];

/// Makes the screen, each line whole. The last line says that all is well, or what to do.
pub(crate) fn whole(status: &Status) -> Vec<Line> {
    let mut lines = above(status);
    lines.extend(advice::advice(status).iter().map(|text| Line::new(Tone::Warn, text)));
    lines.extend(well(status));
    lines.extend(status.not_random.then(|| Line::bad(NOT_RANDOM)));
    lines
}

/// Makes the screen for a terminal of `width` columns, and of 24 lines if there is one key: what has no room is shortened.
pub(crate) fn fitted(status: &Status, width: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = above(status).into_iter().map(|line| line.fit(width)).collect();
    // Several keys may take more than a screen: each keeps its advice.
    let mut room = usize::MAX;
    if status.keys.len() <= 1 {
        give_way(&mut lines, HEIGHT - ADVICE_LINES - usize::from(status.not_random));
        room = HEIGHT.saturating_sub(lines.len());
    }
    lines.extend(verdict(status, width, room));
    lines
}

/// Makes all but the last words.
fn above(status: &Status) -> Vec<Line> {
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
    lines.extend(status.egd_client.iter().flat_map(server));
    lines.extend(outputs(status));
    lines.push(Line::plain(""));
    lines
}

/// Leaves out rows until at most `most` lines are left.
fn give_way(lines: &mut Vec<Line>, most: usize) {
    for name in GIVE_WAY {
        if lines.len() <= most {
            break;
        }
        let start = row(name, "").text;
        let at = lines.iter().position(|line| line.text.starts_with(&start));
        at.map(|at| lines.remove(at));
    }
}

fn head(status: &Status) -> Line {
    let up = amount::duration(status.uptime_s);
    Line::new(Tone::Head, &format!("ekeyd {}  pid {}  up {up}  {}", status.version, status.pid, status.control))
}

fn title(key: &KeyStatus) -> Line {
    Line::new(tone(glance::key_mood(key)), &glance::key_title(key))
}

fn tone(mood: Mood) -> Tone {
    match mood {
        Mood::Good => Tone::Good,
        Mood::Soon => Tone::Warn,
        Mood::Bad => Tone::Bad,
    }
}

/// Shows the EGD server that the daemon fetches from.
fn server(client: &EgdClientStatus) -> Vec<Line> {
    let rows = glance::server_rows(client);
    let rows = rows.iter().map(|(name, text)| row(name, text));
    std::iter::once(Line::new(tone(glance::server_mood(client)), &glance::server_title(client))).chain(rows).collect()
}

fn one_key(key: &KeyStatus) -> Vec<Line> {
    let rows = glance::key_rows(key);
    let rows = rows.iter().map(|(name, text)| row(name, text));
    std::iter::once(title(key)).chain(rows).collect()
}

fn one_of_many(key: &KeyStatus) -> [Line; 2] {
    let (verified, rate) = (amount::bytes(key.entropy_bytes), amount::rate(key.rate_bytes_per_s));
    let dropped = key.frames.dropped().saturating_add(key.frames.framing_errors);
    [
        title(key),
        Line::plain(&format!(
            "  {verified} verified, {rate}, {dropped} bad frames, {} ({})",
            key.path,
            key.transport.name()
        )),
    ]
}

fn outputs(status: &Status) -> Vec<Line> {
    let rows = glance::output_rows(status);
    let rows = rows.iter().map(|(name, text)| row(name, text));
    [Line::plain(""), Line::new(Tone::Head, "Outputs")].into_iter().chain(rows).collect()
}

fn row(name: &str, text: &str) -> Line {
    Line::plain(&format!("  {name:<9} {text}")).margin(12)
}

/// Says that all is well, if so.
fn well(status: &Status) -> Option<Line> {
    let tone = if status.not_random { Tone::Warn } else { Tone::Good };
    advice::advice(status).is_empty().then(|| Line::new(tone, &glance::all_is_well(status)))
}

fn verdict(status: &Status, width: usize, room: usize) -> Vec<Line> {
    let advice = advice::advice(status);
    let not_random = usize::from(status.not_random);
    let mut lines = Vec::new();
    lines.extend(well(status));
    let room = room.saturating_sub(not_random);
    for (index, text) in advice.iter().enumerate() {
        let more = advice.len() - index;
        // Reserve the last line for the count of what does not fit.
        let reserve = usize::from(more > 1);
        let left = room.saturating_sub(lines.len());
        if more > 1 && left < 2 {
            lines.push(Line::new(Tone::Warn, &format!("And {more} more: see `ekey-ctl status --json`.")).fit(width));
            break;
        }
        lines.extend(Line::wrapped(Tone::Warn, text, width, left.saturating_sub(reserve)));
    }
    if status.not_random {
        lines.push(Line::bad(NOT_RANDOM));
    }
    lines
}

#[cfg(test)]
mod tests;
