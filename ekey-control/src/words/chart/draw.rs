//! A chart as a picture: axes, and lines for what is measured or bars for what is counted.
//!
//! It is drawn in classes (`grid`, `label`, `area`, `line`, `bar`, `cursor`), to which the page and [`STYLE`](super::STYLE) give
//! colours.

use std::fmt::Write as _;

use super::scale::Scale;
use super::{Chart, Track};
use crate::status::history::Figure;
use crate::words::amount;

/// Width of the picture, in its own units.
pub(super) const WIDTH: f64 = 360.0;
/// Height of the picture, in its own units.
pub(super) const HEIGHT: f64 = 150.0;

const LEFT: f64 = 56.0;
const RIGHT: f64 = 352.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 128.0;
/// Room for the names of several lines.
const NAMES: f64 = 16.0;
/// The classes of the lines after the first.
const CLASSES: [&str; 4] = ["", " b", " c", " d"];

/// The axes of one picture.
#[derive(Clone, Copy)]
struct Axes {
    scale: Scale,
    top: f64,
    span_s: u64,
}

impl Chart {
    /// The picture, to be put into an `svg` element of 360 by 150. The values are between 56 and 352; the `cursor` is where a
    /// script marks a step.
    pub fn draw(&self) -> String {
        let Some((_, first)) = self.lines.first() else { return String::new() };
        let values = self.lines.iter().flat_map(|(_, track)| &track.points).map(|point| point.value);
        let scale = Scale::new(first.figure, values, self.limit);
        let top = if self.lines.len() > 1 { TOP + NAMES } else { TOP };
        let axes = Axes { scale, top, span_s: self.span_s() };
        let mut out = String::new();
        axes.draw(first.figure, &mut out);
        if self.is_empty() && first.points.is_empty() {
            let (x, y) = (f64::midpoint(LEFT, RIGHT), f64::midpoint(top, BOTTOM));
            let _ = write!(out, r#"<text class="label" x="{x}" y="{y}" text-anchor="middle">nothing known yet</text>"#);
        }
        for (index, (name, track)) in self.lines.iter().enumerate() {
            let class = CLASSES[index % CLASSES.len()];
            if first.figure.is_count() || first.figure == Figure::Waiting {
                axes.bars(track, &mut out);
            } else {
                axes.lines(track, class, self.lines.len() == 1, &mut out);
            }
            if self.lines.len() > 1 {
                let x = LEFT + index as f64 * (RIGHT - LEFT) / CLASSES.len() as f64;
                let _ = write!(
                    out,
                    r#"<path class="line{class}" d="M{x} {TOP}h18"/><text class="label" x="{}" y="{}">{}</text>"#,
                    x + 23.0,
                    TOP + 4.0,
                    super::escaped(name)
                );
            }
        }
        let _ = write!(out, r#"<path class="cursor" d="M{RIGHT} {top}V{BOTTOM}"/>"#);
        out
    }
}

impl Axes {
    fn draw(self, figure: Figure, out: &mut String) {
        for value in self.scale.lines() {
            let y = self.y(value);
            let _ = write!(out, r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/>"#);
            let label = tick(figure, value);
            let _ = write!(
                out,
                r#"<text class="label" x="{}" y="{:.1}" text-anchor="end">{label}</text>"#,
                LEFT - 6.0,
                y + 4.0
            );
        }
        for (part, anchor) in [(1.0, "start"), (0.5, "middle"), (0.0, "end")] {
            let x = RIGHT - part * (RIGHT - LEFT);
            let back = (self.span_s as f64 * part) as u64;
            let label = match back {
                0 => "now".to_owned(),
                _ if back.is_multiple_of(60) => format!("−{}", amount::span(back)),
                _ => format!("−{}", amount::duration(back)),
            };
            let _ = write!(
                out,
                r#"<text class="label" x="{x}" y="{}" text-anchor="{anchor}">{label}</text>"#,
                BOTTOM + 17.0
            );
        }
    }

    fn bars(self, track: &Track, out: &mut String) {
        // Frames that were refused and keys that had to be revived are faults.
        let class = if track.figure.is_count() { " bad" } else { "" };
        for point in track.points.iter().filter(|point| point.value > 0.0) {
            let (from, to) = (self.x(point.from_s), self.x(point.to_s));
            let y = self.y(point.value).min(BOTTOM - 2.0);
            let _ = write!(
                out,
                r#"<rect class="bar{class}" x="{from:.1}" y="{y:.1}" width="{:.1}" height="{:.1}"/>"#,
                (to - from - 0.5).max(1.0),
                BOTTOM - y
            );
        }
    }

    /// A line through the middle of each step, interrupted where nothing is known.
    fn lines(self, track: &Track, class: &str, filled: bool, out: &mut String) {
        for run in track.points.chunk_by(|left, right| left.to_s == right.from_s) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let (from, to) = (self.x(first.from_s), self.x(last.to_s));
            let mut path = format!("M{from:.1} {:.1}", self.y(first.value));
            for point in run {
                let middle = f64::midpoint(self.x(point.from_s), self.x(point.to_s));
                let _ = write!(path, "L{middle:.1} {:.1}", self.y(point.value));
            }
            let _ = write!(path, "L{to:.1} {:.1}", self.y(last.value));
            if filled {
                let _ = write!(out, r#"<path class="area" d="{path}L{to:.1} {BOTTOM}L{from:.1} {BOTTOM}Z"/>"#);
            }
            let _ = write!(out, r#"<path class="line{class}" d="{path}"/>"#);
        }
    }

    fn x(self, back_s: u64) -> f64 {
        RIGHT - (RIGHT - LEFT) * back_s as f64 / self.span_s.max(1) as f64
    }

    fn y(self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - self.top) * self.scale.place(value)
    }
}

/// Returns the label of a line of the axis, which has little room.
fn tick(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Rate | Figure::Taken => amount::rate(value).replace(".0 ", " "),
        Figure::Pool => amount::bytes(value.max(0.0).round() as u64).replace(".0 ", " "),
        Figure::Temperature => amount::degrees(value).replace(".0 ", " "),
        Figure::Waiting | Figure::Rejected | Figure::Recoveries => format!("{value:.0}"),
    }
}
