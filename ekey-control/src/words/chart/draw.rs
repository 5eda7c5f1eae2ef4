//! One track as a picture: axes, and a line for what is measured or bars for what is counted.
//!
//! It is drawn in classes (`grid`, `label`, `area`, `line`, `bar`, `none`), to which the page and the sheet each give colours.

use std::fmt::Write as _;

use super::Track;
use super::scale::Scale;
use crate::status::history::Figure;
use crate::words::amount;

/// Width of the picture, in its own units.
pub(super) const WIDTH: f64 = 360.0;
/// Height of the picture, in its own units.
pub(super) const HEIGHT: f64 = 150.0;

const LEFT: f64 = 52.0;
const RIGHT: f64 = 352.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 128.0;

impl Track {
    /// The picture, to be put into an `svg` element of 360 by 150.
    pub fn draw(&self) -> String {
        let scale = Scale::new(self.figure, self.points.iter().map(|point| point.value));
        let mut out = String::new();
        for value in scale.lines() {
            let y = height(scale, value);
            let _ = write!(out, r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/>"#);
            let label = self.tick(value);
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
            let label = if back == 0 { "now".to_owned() } else { format!("−{}", amount::span(back)) };
            let _ = write!(
                out,
                r#"<text class="label" x="{x}" y="{}" text-anchor="{anchor}">{label}</text>"#,
                BOTTOM + 17.0
            );
        }
        if self.points.is_empty() {
            let (x, y) = (f64::midpoint(LEFT, RIGHT), f64::midpoint(TOP, BOTTOM));
            let _ = write!(out, r#"<text class="label" x="{x}" y="{y}" text-anchor="middle">nothing known yet</text>"#);
        } else if self.figure.is_count() {
            self.bars(scale, &mut out);
        } else {
            self.lines(scale, &mut out);
        }
        out
    }

    fn bars(&self, scale: Scale, out: &mut String) {
        for point in self.points.iter().filter(|point| point.value > 0.0) {
            let (from, to) = (self.x(point.from_s), self.x(point.to_s));
            let y = height(scale, point.value).min(BOTTOM - 2.0);
            let _ = write!(
                out,
                r#"<rect class="bar" x="{from:.1}" y="{y:.1}" width="{:.1}" height="{:.1}"/>"#,
                (to - from - 0.5).max(1.0),
                BOTTOM - y
            );
        }
    }

    /// A line through the middle of each step, interrupted where nothing is known.
    fn lines(&self, scale: Scale, out: &mut String) {
        for run in self.points.chunk_by(|left, right| left.to_s == right.from_s) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let (from, to) = (self.x(first.from_s), self.x(last.to_s));
            let mut path = format!("M{from:.1} {:.1}", height(scale, first.value));
            for point in run {
                let middle = f64::midpoint(self.x(point.from_s), self.x(point.to_s));
                let _ = write!(path, "L{middle:.1} {:.1}", height(scale, point.value));
            }
            let _ = write!(path, "L{to:.1} {:.1}", height(scale, last.value));
            let _ = write!(out, r#"<path class="area" d="{path}L{to:.1} {BOTTOM}L{from:.1} {BOTTOM}Z"/>"#);
            let _ = write!(out, r#"<path class="line" d="{path}"/>"#);
        }
    }

    fn x(&self, back_s: u64) -> f64 {
        RIGHT - (RIGHT - LEFT) * back_s as f64 / self.span_s.max(1) as f64
    }

    /// Returns the label of a line of the axis, which has little room.
    fn tick(&self, value: f64) -> String {
        match self.figure {
            Figure::Rate | Figure::Pool => amount::bytes(value.max(0.0).round() as u64).replace(".0 ", " "),
            Figure::Temperature if (value - value.round()).abs() > 0.01 => format!("{value:.1} °C"),
            Figure::Temperature => format!("{value:.0} °C"),
            Figure::Rejected | Figure::Recoveries => format!("{value:.0}"),
        }
    }
}

fn height(scale: Scale, value: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * scale.place(value)
}
