//! The live screen: a verdict, a line per key, sparklines of the last minutes, and the outputs.

use ekey_control::chart::{Range, Track};
use ekey_control::glance::{self, Mood, NOT_RANDOM};
use ekey_control::history::{FINE_STEP_S, FINE_STEPS, Figure};
use ekey_control::status::Sensors;
use ekey_control::{History, KeyStatus, Status, advice, amount};

use crate::render::paint::{Line, Tone, narrow};
use crate::render::spark;

/// Columns before a sparkline.
const NAMES: usize = 28;
/// Lines for one piece of advice, at most.
const ADVICE_LINES: usize = 4;

/// The area to draw on: columns, lines, and whether it shows more than ASCII.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) unicode: bool,
}

/// Draws the screen within the area, the most urgent at the top.
pub(crate) fn lines(status: &Status, history: &History, area: Area) -> Vec<Line> {
    let mut lines = vec![head(status)];
    lines.extend(verdict(status, area));
    lines.push(Line::plain(""));
    if !status.keys.is_empty() {
        let head = ["KEY", "SERIAL", "STATE", "RATE", "TEMP", "VOLT", "REFUSED", "REVIVED"];
        lines.push(Line::new(Tone::Head, &columns(&head)));
        lines.extend(status.keys.iter().map(key));
        lines.push(Line::plain(""));
    }
    let mut lines: Vec<Line> = lines.into_iter().map(|line| line.fit(area.width)).collect();
    lines.extend(sparklines(history, area));
    lines.push(Line::plain(""));
    let rows = glance::output_rows(status);
    lines.extend(rows.iter().map(|(name, text)| Line::plain(&format!("{name:<9} {text}")).fit(area.width)));
    lines.truncate(area.height);
    lines
}

fn head(status: &Status) -> Line {
    let up = amount::duration(status.uptime_s);
    Line::new(Tone::Head, &format!("ekeyd {}  up {up}  {}", status.version, status.control))
}

fn verdict(status: &Status, area: Area) -> Vec<Line> {
    let wrapped = |text: &String| Line::wrapped(Tone::Bad, text, area.width, ADVICE_LINES);
    let mut lines: Vec<Line> = advice::advice(status).iter().flat_map(wrapped).collect();
    if lines.is_empty() {
        let tone = if status.not_random { Tone::Warn } else { Tone::Good };
        lines.push(Line::new(tone, &glance::all_is_well(status)));
    }
    if status.not_random {
        lines.push(Line::bad(NOT_RANDOM));
    }
    lines
}

fn key(key: &KeyStatus) -> Line {
    let tone = match glance::key_mood(key) {
        Mood::Good => Tone::Good,
        Mood::Soon => Tone::Warn,
        Mood::Bad => Tone::Bad,
    };
    // There is no room for a mark.
    let sensors = if key.unverified { Sensors::default() } else { key.sensors };
    let unknown = || "-".to_owned();
    let temperature =
        sensors.temperature_decikelvin.map_or_else(unknown, |value| format!("{:.1} C", glance::celsius(value)));
    let voltage = sensors.supply_millivolts.map_or_else(unknown, |value| format!("{:.2}", f64::from(value) / 1000.0));
    let refused = key.frames.dropped().saturating_add(key.frames.framing_errors);
    let state = match key.put_aside().filter(|_| key.state.is_okay()) {
        Some(_) => "retired".to_owned(),
        None => advice::words(key.state),
    };
    let cells = [
        &key.number.to_string(),
        key.known_serial().unwrap_or("?"),
        &state,
        &amount::rate(key.rate_bytes_per_s),
        &temperature,
        &voltage,
        &refused.to_string(),
        &key.recoveries.to_string(),
    ];
    Line::new(tone, &columns(&cells))
}

/// Makes one row of the table of keys, 78 columns unless a number is very long.
fn columns(cells: &[&str; 8]) -> String {
    let [number, serial, state, rate, temperature, voltage, refused, revived] = cells;
    let (serial, state) = (short(serial, 16), short(state, 17));
    format!("{number:<3} {serial:<16} {state:<17} {rate:>9} {temperature:>7} {voltage:>5} {refused:>7} {revived:>7}")
}

/// Makes a line per figure: its name, its value now, and its last minutes.
fn sparklines(history: &History, area: Area) -> Vec<Line> {
    let width = area.width.saturating_sub(NAMES + 1).min(FINE_STEPS);
    let span = amount::span((width as u64 * u64::from(FINE_STEP_S)) / 60 * 60);
    let head = format!("{:NAMES$} the last {span}, by {FINE_STEP_S} s", "");
    let mut lines = vec![Line::plain(&head).fit(area.width)];
    for figure in Figure::ALL {
        let track = Track::new(history, figure, Range::Minutes);
        let now = match track.points.last() {
            // As many as the sparkline shows.
            Some(_) if figure.is_count() => {
                let shown = spark::shown(&history.fine, figure, width).flatten();
                match shown.fold(0, u64::saturating_add) {
                    0 => "none".to_owned(),
                    count => count.to_string(),
                }
            }
            Some(point) => track.shown(point.value),
            None => "-".to_owned(),
        };
        let name = format!("{:<15} {:>12}", figure.title(), narrow(&now.replace('°', "").replace("  ", " ")));
        let spark = spark::line(&history.fine, figure, width, area.unicode);
        lines.push(Line::plain(&format!("{} {spark}", short(&name, NAMES))));
    }
    lines
}

/// Cuts a text to `width` characters.
fn short(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use ekey_control::history::Series;
    use ekey_proto::session::State;
    use proptest::prelude::*;

    use super::*;
    use crate::render::sample::{all_states, key, status};

    fn history(values: &[Option<u64>]) -> History {
        let fine = Series {
            step_s: FINE_STEP_S,
            rate_bytes_per_s: values.to_vec(),
            pool_bytes: values.to_vec(),
            temperature_decikelvin: values.to_vec(),
            rejected_frames: values.to_vec(),
            recoveries: values.to_vec(),
            ..Series::default()
        };
        History { fine, ..History::default() }
    }

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }

    #[test]
    fn a_healthy_key_looks_like_this() {
        let column = |of: fn(u64) -> u64| (0..60).map(|step| Some(of(step))).collect::<Vec<_>>();
        let mut history = history(&[]);
        history.fine.rate_bytes_per_s = column(|step| if step < 20 { 0 } else { 4000 + step % 7 });
        history.fine.pool_bytes = column(|step| 20_000 * step.saturating_sub(20));
        history.fine.temperature_decikelvin = column(|step| 3080 + step);
        history.fine.rejected_frames = column(|step| u64::from(step % 17 == 3));
        history.fine.recoveries = column(|step| u64::from(step == 20));
        let area = Area { width: 80, height: 24, unicode: true };
        let seen = text(&lines(&status(vec![key(State::Running)]), &history, area));
        assert_eq!(seen, include_str!("../../tests/golden/top.txt"), "seen:\n{seen}");
    }

    #[test]
    fn every_state_has_its_line_and_advice_is_at_the_top() {
        for state in all_states().into_iter().filter(|state| !state.is_running()) {
            let status = status(vec![key(state)]);
            let seen = lines(&status, &history(&[]), Area { width: 80, height: 24, unicode: false });
            let end = seen.iter().position(|line| line.text.is_empty()).expect("a blank line");
            let words: Vec<&str> = seen[1..end].iter().map(|line| line.text.as_str()).collect();
            assert_eq!(words.join(" "), advice::advice(&status)[0], "{state:?}");
            assert!(seen[end + 2].text.starts_with("1   NwBvBlg3OTBJORFD"), "{state:?}: {}", text(&seen));
        }
    }

    proptest! {
        #[test]
        fn it_is_never_larger_than_its_area(
            width in 1usize..200, height in 1usize..60, unicode in any::<bool>(), long in "\\PC{0,200}",
            state in prop::sample::select(all_states()), values in prop::collection::vec(any::<Option<u64>>(), 0..200),
        ) {
            let mut key = key(state);
            key.serial = Some(long.clone());
            key.frames.ok = u64::MAX;
            let mut status = status(vec![key.clone(), key]);
            status.version = long;
            let lines = lines(&status, &history(&values), Area { width, height, unicode });
            prop_assert!(lines.len() <= height);
            for line in &lines {
                let columns = line.text.chars().count();
                prop_assert!(columns <= width.max(NAMES + 1), "{columns} columns: {:?}", line.text);
                prop_assert!(!line.text.chars().any(char::is_control));
            }
        }
    }
}
