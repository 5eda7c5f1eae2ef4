//! How a history is drawn: charts in SVG, alike on the page and in the file that `ekey-ctl plot` writes.
//!
//! A [`Track`] is one figure over a span of time. A [`Chart`] draws one track, or those of several outlets, and says the same in
//! words for people who cannot see the picture. [`STYLE`] is the style of every picture.

mod draw;
mod lines;
mod scale;
mod sheet;
mod style;

pub use lines::Chart;
pub use sheet::{Caption, sheet};
pub use style::{STYLE, escaped};

use crate::status::history::{Figure, History, Series};
use crate::words::amount;

/// How far back to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The last ten minutes, by steps of 5 s.
    Minutes,
    /// The last day, or as much of it as there is, by steps of 5 min.
    Day,
}

/// One figure over the time until now.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Which one.
    pub figure: Figure,
    /// Seconds from the left edge to the right edge.
    pub span_s: u64,
    /// The oldest first. A step of which nothing is known has no point.
    pub points: Vec<Point>,
}

/// The value of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// How many seconds before the end the step began.
    pub from_s: u64,
    /// How many seconds before the end it ended.
    pub to_s: u64,
    /// Bytes a second, bytes, degrees Celsius, or a count.
    pub value: f64,
}

const HOUR: u64 = 3600;
/// The widths of a chart in seconds. It starts narrow, so that its line fills it.
const FINE_SPANS: [u64; 3] = [120, 300, 600];
const SPANS: [u64; 5] = [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR];

impl Range {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minutes, Self::Day];

    /// Returns the default range: the day, once the history covers an hour.
    pub fn usual(history: &History) -> Self {
        if history.coarse.seconds() < HOUR { Self::Minutes } else { Self::Day }
    }

    /// For a URL and a command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Minutes => "10m",
            Self::Day => "24h",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Minutes => "last 10 minutes",
            Self::Day => "last 24 hours",
        }
    }
}

impl Track {
    /// The track of `figure` in `history`.
    pub fn new(history: &History, figure: Figure, range: Range) -> Self {
        Self::of(history, figure, range, |series| series.column(figure))
    }

    /// The track of what one outlet took.
    pub fn taken_by(history: &History, outlet: &str, range: Range) -> Self {
        Self::of(history, Figure::Taken, range, |series| series.taken_by_outlet.get(outlet).map_or(&[], Vec::as_slice))
    }

    fn of(history: &History, figure: Figure, range: Range, column: impl Fn(&Series) -> &[Option<u64>]) -> Self {
        let mut points = Vec::new();
        let mut add = |from_s, to_s, value: Option<f64>| {
            points.extend(value.map(|value| Point { from_s, to_s, value }));
        };
        let fine = column(&history.fine);
        let (step, count) = (u64::from(history.fine.step_s), fine.len() as u64);
        let span_s = match range {
            Range::Minutes => {
                for (back, value) in (0..count).rev().zip(fine) {
                    add((back + 1) * step, back * step, value.map(|value| real(figure, value)));
                }
                let covered = count * step;
                FINE_SPANS.into_iter().find(|span| covered <= *span).unwrap_or(600)
            }
            Range::Day => {
                // The coarse steps end some time ago; since then there are fine ones.
                let since = history.fine.end_unix_s.saturating_sub(history.coarse.end_unix_s).min(24 * HOUR);
                let since = if history.coarse.seconds() == 0 { count * step } else { since };
                let coarse = column(&history.coarse);
                let wide = u64::from(history.coarse.step_s);
                for (back, value) in (0..coarse.len() as u64).rev().zip(coarse) {
                    let to = since + back * wide;
                    add(to + wide, to, value.map(|value| real(figure, value)));
                }
                let newest = since.checked_div(step).unwrap_or(0).min(count);
                let rest = fine.iter().skip((count - newest) as usize).flatten();
                add(newest * step, 0, together(figure, rest.map(|value| real(figure, *value))));
                let covered = since + coarse.len() as u64 * wide;
                SPANS.into_iter().find(|span| covered <= *span).unwrap_or(24 * HOUR)
            }
        };
        points.retain(|point| point.to_s < span_s);
        points.iter_mut().for_each(|point| point.from_s = point.from_s.min(span_s));
        Self { figure, span_s, points }
    }

    /// Says in words what the picture shows, for people who cannot see it.
    pub fn words(&self) -> String {
        format!("{} in the last {}", self.summary(), amount::span(self.span_s))
    }

    /// Now, lowest and highest, or the count.
    pub fn summary(&self) -> String {
        let Some(last) = self.points.last() else { return "nothing known".to_owned() };
        if self.figure.is_count() {
            let sum: f64 = self.points.iter().map(|point| point.value).sum();
            return if sum > 0.0 { format!("{sum}") } else { "none".to_owned() };
        }
        if self.figure != Figure::Pool && self.is_empty() {
            return "none".to_owned();
        }
        let values = || self.points.iter().map(|point| point.value);
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let shown = |value| self.shown(value);
        let now = if last.to_s == 0 { shown(last.value) } else { "not known".to_owned() };
        format!("now {now}, from {} to {}", shown(low), shown(high))
    }

    /// The time in `count` equal parts, the oldest first, and the value of each: the mean, the lowest, the highest or the sum,
    /// as the figure has it.
    pub fn parts(&self, count: usize) -> Vec<Option<f64>> {
        let place = |point: &Point| {
            let from_left = self.span_s.saturating_sub(point.from_s) as f64 / self.span_s.max(1) as f64;
            ((from_left * count as f64) as usize).min(count.saturating_sub(1))
        };
        let within = |part| self.points.iter().filter(move |point| place(point) == part).map(|point| point.value);
        (0..count).map(|part| together(self.figure, within(part))).collect()
    }

    /// A value with its unit.
    pub fn shown(&self, value: f64) -> String {
        match self.figure {
            Figure::Rate | Figure::Taken => amount::rate(value),
            Figure::Pool => amount::bytes(value.max(0.0) as u64),
            Figure::Temperature => amount::degrees(value),
            Figure::Waiting | Figure::Rejected | Figure::Recoveries => format!("{value}"),
        }
    }

    /// Whether there is nothing to see: no value, or only zeros. An empty pool is something to see.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() || (self.figure != Figure::Pool && self.points.iter().all(|point| point.value == 0.0))
    }

    /// Returns the last value, unless it is older than the last step.
    pub fn now(&self) -> Option<f64> {
        self.points.last().filter(|point| point.to_s == 0).map(|point| point.value)
    }
}

/// A stored value in the unit in which it is shown.
fn real(figure: Figure, value: u64) -> f64 {
    match figure {
        Figure::Temperature => u32::try_from(value).map_or(f64::from(u32::MAX), amount::celsius),
        _ => value as f64,
    }
}

/// Several steps as one, as the daemon makes coarse steps of fine ones.
fn together(figure: Figure, values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    if values.is_empty() {
        return None;
    }
    let sum = || values.iter().sum::<f64>();
    Some(match figure {
        Figure::Rate | Figure::Taken => sum() / values.len() as f64,
        Figure::Pool => values.iter().copied().fold(f64::INFINITY, f64::min),
        Figure::Temperature | Figure::Waiting => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Figure::Rejected | Figure::Recoveries => sum(),
    })
}

#[cfg(test)]
mod tests;
