//! The parts of the page that change while it is open.

use std::fmt::Write as _;

use ekey_control::chart::{Range, Track, escaped};
use ekey_control::glance::{self, Mood, Row};
use ekey_control::history::Figure;
use ekey_control::{History, Status, advice};

/// Rows of the table.
const ROWS: usize = 12;

/// Writes the title for the browser's tab, with the state first.
pub(super) fn title(status: &Status) -> String {
    let running = status.running();
    let words = match running {
        _ if !advice::advice(status).is_empty() => "needs you",
        _ if status.not_random => "not random",
        _ => "all is well",
    };
    format!("{words}: {running} of {} running – Entropy Key", status.keys.len())
}

/// Writes whether the daemon needs attention, and the advice if it does.
pub(super) fn verdict(status: &Status) -> String {
    let advice = advice::advice(status);
    let mut out = String::new();
    if advice.is_empty() {
        let (class, icon) = if status.not_random { ("soon", "!") } else { ("good", "✓") };
        let _ = write!(
            out,
            r#"<p class="verdict {class}"><b aria-hidden="true">{icon}</b> {}</p>"#,
            glance::all_is_well(status)
        );
    }
    for text in advice {
        let _ = write!(out, r#"<p class="verdict bad"><b aria-hidden="true">!</b> {}</p>"#, escaped(&text));
    }
    if status.not_random {
        let _ = write!(out, r#"<p class="verdict bad"><b aria-hidden="true">!</b> {}</p>"#, glance::NOT_RANDOM);
    }
    out
}

/// Writes a card for each source: keys, the EGD server, and keys that are not driven.
pub(super) fn keys(status: &Status) -> String {
    let mut out = String::new();
    for key in &status.keys {
        card(&mut out, glance::key_mood(key), &glance::key_title(key), &glance::key_rows(key));
    }
    if let Some(client) = &status.egd_client {
        card(&mut out, glance::server_mood(client), &glance::server_title(client), &glance::server_rows(client));
    }
    for key in &status.idle_keys {
        let title = format!("Not driven: {}", key.serial.as_deref().unwrap_or("(serial number not known)"));
        card(&mut out, Mood::Bad, &title, &[("port", key.port.clone()), ("why", key.why.clone())]);
    }
    out
}

fn card(out: &mut String, mood: Mood, title: &str, shown: &[Row]) {
    let (class, heading, rows) = (class(mood), heading(title), rows(shown));
    let _ = write!(out, r#"<article class="key {class}"><h2>{heading}</h2><dl>{rows}</dl></article>"#);
}

/// Writes the outputs' rows.
pub(super) fn outputs(status: &Status) -> String {
    rows(&glance::output_rows(status))
}

/// Writes the links that select a range.
pub(super) fn ranges(shown: Range) -> String {
    let mut out = String::new();
    for range in Range::ALL {
        let current = if range == shown { r#" aria-current="true""# } else { "" };
        let _ = write!(out, r#"<a href="/?range={}"{current}>{}</a>"#, range.word(), range.words());
    }
    out
}

/// Writes a chart for each figure, with its summary in words.
pub(super) fn charts(history: &History, range: Range) -> String {
    let mut out = String::new();
    for figure in Figure::ALL {
        let track = Track::new(history, figure, range);
        let (title, words) = (figure.title(), track.words());
        let summary = if figure.is_count() { words.clone() } else { track.summary() };
        let _ = write!(
            out,
            r#"<figure><figcaption><h3>{title}</h3><p>{summary}</p></figcaption><svg viewBox="0 0 360 150" role="img" aria-label="{title}: {words}">{}</svg></figure>"#,
            track.draw()
        );
    }
    out
}

/// Writes the charts' figures as a table of twelve rows.
pub(super) fn table(history: &History, range: Range) -> String {
    let tracks = Figure::ALL.map(|figure| Track::new(history, figure, range));
    let columns = tracks.each_ref().map(|track| track.parts(ROWS));
    let mut out = String::new();
    for row in 0..ROWS {
        let back = tracks[0].span_s * (ROWS - 1 - row) as u64 / ROWS as u64;
        let until = if back == 0 { "now".to_owned() } else { format!("{} ago", ekey_control::amount::duration(back)) };
        let _ = write!(out, r#"<tr><th scope="row">{until}</th>"#);
        for (track, values) in tracks.iter().zip(&columns) {
            let shown = values.get(row).copied().flatten().map_or_else(|| "–".to_owned(), |value| track.shown(value));
            let _ = write!(out, "<td>{shown}</td>");
        }
        out.push_str("</tr>");
    }
    out
}

/// Replaces the terminal's separator of two blanks, because HTML shows them as one.
fn heading(title: &str) -> String {
    escaped(title).replace("  ", " · ")
}

fn rows(rows: &[Row]) -> String {
    let mut out = String::new();
    for (name, text) in rows {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escaped(text));
    }
    out
}

fn class(mood: Mood) -> &'static str {
    match mood {
        Mood::Good => "good",
        Mood::Soon => "soon",
        Mood::Bad => "bad",
    }
}
