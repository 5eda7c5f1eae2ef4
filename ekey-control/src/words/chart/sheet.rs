//! All charts on one sheet: a whole SVG file that needs nothing else.

use std::fmt::Write as _;

use super::draw::{HEIGHT, WIDTH};
use super::{Chart, Range, STYLE, escaped};
use crate::status::history::History;
use crate::words::amount;

const MARGIN: f64 = 16.0;
const LINE: f64 = 18.0;
/// A chart with the two lines of text above it.
const ROW: f64 = HEIGHT + 48.0;
/// Characters in a line of words above a chart.
const WORDS: usize = 62;

/// What the sheet says above its charts. Everything is escaped where it is written.
#[derive(Debug, Clone, Copy)]
pub struct Caption<'c> {
    /// The host name of the daemon's machine.
    pub host: &'c str,
    /// Whose figures these are.
    pub keys: &'c str,
    /// What must not be overlooked.
    pub warning: Option<&'c str>,
    /// The limit of the pool in bytes.
    pub capacity: u64,
}

/// The sheet. Charts that have nothing to show share one line below the others.
pub fn sheet(history: &History, range: Range, caption: &Caption<'_>) -> String {
    let (empty, drawn): (Vec<Chart>, Vec<Chart>) =
        Chart::all(history, range, caption.capacity).into_iter().partition(Chart::is_empty);
    let top = MARGIN + LINE * if caption.warning.is_some() { 3.0 } else { 2.0 };
    let rows = drawn.len().div_ceil(2) as f64;
    let bottom = if empty.is_empty() { MARGIN } else { MARGIN + LINE };
    let (width, height) = (2.0 * WIDTH + 3.0 * MARGIN, top + rows * ROW + bottom);
    let host = if caption.host.is_empty() { "Entropy Key" } else { caption.host };
    let title = escaped(&format!("{host}, {} until {}", range.words(), amount::moment(history.fine.end_unix_s)));
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">"#
    );
    let _ = write!(out, "<title>{title}</title><style>{STYLE}</style>");
    let _ = write!(out, r#"<rect class="paper" width="{width}" height="{height}"/>"#);
    let mut line = MARGIN + 8.0;
    let mut write = |class: &str, text: &str| {
        let _ = write!(out, r#"<text class="{class}" x="{MARGIN}" y="{line}">{text}</text>"#);
        line += LINE;
    };
    write("head", &title);
    write("label", &escaped(caption.keys));
    if let Some(warning) = caption.warning {
        write("alarm", &escaped(warning));
    }
    for (index, chart) in drawn.iter().enumerate() {
        let (x, y) = (MARGIN + (index % 2) as f64 * (WIDTH + MARGIN), top + (index / 2) as f64 * ROW);
        let _ = write!(
            out,
            r#"<g transform="translate({x} {y})"><text class="head" y="16">{}</text><text y="32">{}</text><g transform="translate(0 40)">{}</g></g>"#,
            chart.title,
            escaped(&short(&chart.words())),
            chart.draw()
        );
    }
    if !empty.is_empty() {
        let words = empty.iter().map(|chart| format!("{}: {}", chart.title, chart.summary()));
        let words = escaped(&words.collect::<Vec<_>>().join(" · "));
        let _ = write!(out, r#"<text class="label" x="{MARGIN}" y="{}">{words}</text>"#, height - MARGIN);
    }
    out.push_str("</svg>\n");
    out
}

/// Cuts words to the width of a chart. The picture says the same.
fn short(words: &str) -> String {
    if words.chars().count() <= WORDS {
        return words.to_owned();
    }
    let cut: String = words.chars().take(WORDS - 1).collect();
    format!("{cut}…")
}
