//! All charts on one sheet: a whole SVG file that needs nothing else.

use std::fmt::Write as _;

use super::draw::{HEIGHT, WIDTH};
use super::{Range, Track};
use crate::status::history::{Figure, History};
use crate::words::amount;

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#3d4852}.head{font-size:14px;font-weight:600;fill:#1a202c}\
.grid{stroke:#d5dbe3;fill:none}.area{fill:#0b62c4;opacity:.13}.line{stroke:#0b62c4;stroke-width:1.6;fill:none;\
stroke-linejoin:round}.bar{fill:#b3320e}";
const MARGIN: f64 = 16.0;
const TITLE: f64 = 38.0;
/// A chart with the two lines of text above it.
const ROW: f64 = HEIGHT + 48.0;

/// The sheet. `subtitle` says whose figures these are; it is escaped here.
pub fn sheet(history: &History, range: Range, subtitle: &str) -> String {
    let rows = Figure::ALL.len().div_ceil(2) as f64;
    let (width, height) = (2.0 * WIDTH + 3.0 * MARGIN, TITLE + rows * ROW + MARGIN);
    let until = amount::utc(history.fine.end_unix_s);
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">"#
    );
    let title = format!("Entropy Key, {} until {until}", range.words());
    let _ = write!(out, "<title>{title}</title><style>{STYLE}</style>");
    let _ = write!(out, r##"<rect width="{width}" height="{height}" fill="#fff"/>"##);
    let _ = write!(out, r#"<text class="head" x="{MARGIN}" y="24">{title}</text>"#);
    let _ = write!(out, r#"<text x="{}" y="24" text-anchor="end">{}</text>"#, width - MARGIN, escaped(subtitle));
    for (index, figure) in Figure::ALL.into_iter().enumerate() {
        let track = Track::new(history, figure, range);
        let (x, y) = (MARGIN + (index % 2) as f64 * (WIDTH + MARGIN), TITLE + (index / 2) as f64 * ROW);
        let _ = write!(
            out,
            r#"<g transform="translate({x} {y})"><text class="head" y="16">{}</text><text y="32">{}</text><g transform="translate(0 40)">{}</g></g>"#,
            figure.title(),
            track.words(),
            track.draw()
        );
    }
    out.push_str("</svg>\n");
    out
}

/// A text fit for HTML and SVG, in elements and in quoted attributes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            control if control.is_control() => out.push('?'),
            other => out.push(other),
        }
    }
    out
}
