//! The parts of the page.

use std::fmt::Write as _;

use ekey_control::chart::{Chart, Range, Track, escaped};
use ekey_control::glance::{self, Mood, Row};
use ekey_control::history::Figure;
use ekey_control::{History, Status, advice, amount, tiles};

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
    let host = if status.host.is_empty() { String::new() } else { format!(" – {}", escaped(&status.host)) };
    format!("{words}: {running} of {} running{host} – Entropy Key", status.keys.len())
}

/// Writes the heading, with the host name.
pub(super) fn heading(status: &Status) -> String {
    if status.host.is_empty() { "Entropy Key".to_owned() } else { format!("Entropy Key on {}", escaped(&status.host)) }
}

/// Writes one box that says whether the daemon needs attention, with the advice if it does.
pub(super) fn verdict(status: &Status) -> String {
    let mut lines = advice::advice(status);
    let (class, icon) = match (lines.is_empty(), status.not_random) {
        (true, false) => ("good", "✓"),
        _ => ("bad", "!"),
    };
    if lines.is_empty() {
        lines.push(glance::all_is_well(status));
    }
    lines.extend(status.not_random.then(|| glance::NOT_RANDOM.to_owned()));
    let mut out = format!(r#"<div class="verdict {class}"><b aria-hidden="true">{icon}</b><div>"#);
    for text in lines {
        let _ = write!(out, "<p>{}</p>", escaped(&text));
    }
    out.push_str("</div></div>");
    out
}

/// Writes the four figures that come first.
pub(super) fn tiles(status: &Status, history: &History) -> String {
    let mut out = String::new();
    for tile in tiles::tiles(status, history) {
        let tiles::Tile { name, value, note, mood } = tile;
        let class = class(mood);
        let _ = write!(
            out,
            r#"<div class="tile {class}"><dt>{name}</dt><dd><b>{value}</b> <span>{note}</span></dd></div>"#
        );
    }
    out
}

/// Writes each source, the worst key first: keys, the EGD server, and keys that are not driven. One that is well takes a line.
pub(super) fn keys(status: &Status) -> String {
    let mut out = String::new();
    for key in &status.idle_keys {
        let title = format!("Not driven: {}", key.serial.as_deref().unwrap_or("(serial number not known)"));
        let id = format!("idle-{}", key.port);
        card(&mut out, &id, Mood::Bad, &title, "", &[("port", key.port.clone()), ("why", key.why.clone())]);
    }
    for key in glance::worst_first(&status.keys) {
        let (mood, id) = (glance::key_mood(key), format!("key-{}", key.number));
        card(&mut out, &id, mood, &glance::key_title(key), &glance::key_line(key), &glance::key_rows(key));
    }
    if let Some(client) = &status.egd_client {
        let (mood, title) = (glance::server_mood(client), glance::server_title(client));
        card(&mut out, "server", mood, &title, &amount::bytes(client.received_bytes), &glance::server_rows(client));
    }
    if out.is_empty() {
        out.push_str(r#"<p class="quiet">No key is attached.</p>"#);
    }
    out
}

fn card(out: &mut String, id: &str, mood: Mood, title: &str, line: &str, shown: &[Row]) {
    let (class, heading, rows, id) = (class(mood), blanks_as_dots(title), rows(shown), escaped(id));
    let open = if mood == Mood::Good { "" } else { " open" };
    let _ = write!(
        out,
        r#"<details id="{id}" class="key {class}"{open}><summary><b>{heading}</b> <span>{}</span></summary><dl class="rows">{rows}</dl></details>"#,
        escaped(line)
    );
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

/// Writes each chart with its summary in words and its steps for the script. Those without anything to see share a line.
pub(super) fn charts(status: &Status, history: &History, range: Range) -> String {
    let (empty, drawn): (Vec<Chart>, Vec<Chart>) =
        Chart::all(history, range, status.pool.capacity).into_iter().partition(Chart::is_empty);
    let end = history.fine.end_unix_s;
    let mut out = r#"<div id="charts">"#.to_owned();
    for chart in drawn {
        let (title, span) = (chart.title, chart.span_s());
        let words = escaped(&chart.words());
        let summary = if chart.is_count() { words.clone() } else { escaped(&chart.summary()) };
        let id = title.to_lowercase().replace(' ', "-");
        let steps: Vec<String> = chart.steps().iter().map(|(back, words)| format!("{back} {words}")).collect();
        let _ = write!(
            out,
            r#"<figure id="chart-{id}"><figcaption><h3>{title}</h3><span class="reading" aria-hidden="true"></span><p>{summary}</p></figcaption><div class="plot" data-end="{end}" data-span="{span}" data-steps="{}"><svg viewBox="0 0 360 150" role="img" aria-label="{title}: {words}">{}</svg></div></figure>"#,
            escaped(&steps.join(";")),
            chart.draw()
        );
    }
    out.push_str("</div>");
    let words: Vec<String> = empty.iter().map(|chart| format!("{}: {}", chart.title, chart.summary())).collect();
    if !words.is_empty() {
        let _ = write!(out, r#"<p id="empty-charts" class="quiet">{}</p>"#, escaped(&words.join(" · ")));
    }
    out
}

/// Writes the charts' figures as a table of twelve rows.
pub(super) fn table(history: &History, range: Range) -> String {
    let tracks = Figure::ALL.map(|figure| Track::new(history, figure, range));
    let columns = tracks.each_ref().map(|track| track.parts(ROWS));
    let mut out = r#"<thead><tr><th scope="col">Until</th>"#.to_owned();
    for figure in Figure::ALL {
        let _ = write!(out, r#"<th scope="col">{}</th>"#, figure.title());
    }
    out.push_str("</tr></thead><tbody>");
    for row in 0..ROWS {
        let back = tracks[0].span_s * (ROWS - 1 - row) as u64 / ROWS as u64;
        let until = if back == 0 { "now".to_owned() } else { format!("{} ago", amount::duration(back)) };
        let _ = write!(out, r#"<tr><th scope="row">{until}</th>"#);
        for (track, values) in tracks.iter().zip(&columns) {
            let shown = values.get(row).copied().flatten().map_or_else(|| "–".to_owned(), |value| track.shown(value));
            let _ = write!(out, "<td>{shown}</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody>");
    out
}

/// Writes the peers that took the most.
pub(super) fn peers(status: &Status) -> String {
    if status.peers.is_empty() {
        return r#"<p class="quiet">No peer has taken any bytes yet.</p>"#.to_owned();
    }
    let mut out = r#"<div class="scroll" role="region" tabindex="0" aria-label="Top peers by bytes"><table><thead><tr><th scope="col">Peer</th><th scope="col">Outlet</th><th scope="col">Bytes</th><th scope="col">Clients now</th></tr></thead><tbody>"#.to_owned();
    for peer in &status.peers {
        let (name, outlet, bytes) = (escaped(&peer.peer), escaped(&peer.outlet), amount::bytes(peer.bytes));
        let _ = write!(
            out,
            r#"<tr><th scope="row">{name}</th><td>{outlet}</td><td>{bytes}</td><td>{}</td></tr>"#,
            peer.clients
        );
    }
    out.push_str("</tbody></table></div>");
    out
}

/// Replaces the terminal's separator of two blanks, because HTML shows them as one.
fn blanks_as_dots(title: &str) -> String {
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
