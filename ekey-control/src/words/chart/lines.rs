//! A chart: one track, or one for each outlet, with its title and its words.

use super::{Range, Track};
use crate::status::history::{Figure, History};
use crate::words::amount;

/// Outlets that get a line of their own: as many as can be told apart.
const MOST_LINES: usize = 4;

/// The tracks that share one pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: &'static str,
    /// Where the axis ends, if the values have a limit.
    pub limit: Option<f64>,
    /// One track, or one for each outlet that took anything, each with its name.
    pub lines: Vec<(String, Track)>,
}

impl Chart {
    /// Returns all charts in the order in which they are shown. `capacity` is the limit of the pool in bytes.
    pub fn all(history: &History, range: Range, capacity: u64) -> Vec<Self> {
        Figure::ALL.into_iter().map(|figure| Self::new(history, figure, range, capacity)).collect()
    }

    fn new(history: &History, figure: Figure, range: Range, capacity: u64) -> Self {
        let limit = (figure == Figure::Pool).then_some(capacity as f64);
        let mut lines = Vec::new();
        let mut title = figure.title();
        if figure == Figure::Taken {
            title = "Demand by outlet";
            let outlets = history.fine.taken_by_outlet.keys();
            lines.extend(outlets.map(|name| (name.clone(), Track::taken_by(history, name, range))));
            lines.retain(|(_, track)| !track.is_empty());
            lines.truncate(MOST_LINES);
        }
        if lines.is_empty() {
            lines.push((String::new(), Track::new(history, figure, range)));
        }
        Self { title, limit, lines }
    }

    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|(_, track)| track.is_empty())
    }

    /// Whether it counts what happened.
    pub fn is_count(&self) -> bool {
        self.lines.iter().all(|(_, track)| track.figure.is_count())
    }

    /// Returns the seconds from the left edge to the right edge.
    pub fn span_s(&self) -> u64 {
        self.lines.iter().map(|(_, track)| track.span_s).max().unwrap_or(0)
    }

    /// Says in words what the picture shows: now, lowest and highest, or the count.
    pub fn summary(&self) -> String {
        let line = |(name, track): &(String, Track)| match name.as_str() {
            "" => track.summary(),
            name => format!("{name} {}", track.summary()),
        };
        self.lines.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    /// The same with the range, for people who cannot see the picture.
    pub fn words(&self) -> String {
        format!("{} in the last {}", self.summary(), amount::span(self.span_s()))
    }

    /// Returns the value of each step in words, the oldest first: how many seconds before the end the step ended, and the words.
    /// They cover the whole span: a time without values has the words `nothing known`.
    pub fn steps(&self) -> Vec<(u64, String)> {
        const UNKNOWN: &str = "nothing known";
        let Some((_, longest)) = self.lines.iter().max_by_key(|(_, track)| track.points.len()) else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        let mut covered = longest.span_s;
        for point in &longest.points {
            if point.from_s < covered {
                steps.push((point.from_s, UNKNOWN.to_owned()));
            }
            let value = |(name, track): &(String, Track)| {
                let found = track.points.iter().find(|other| other.to_s == point.to_s)?;
                let shown = track.shown(found.value);
                Some(if name.is_empty() { shown } else { format!("{name} {shown}") })
            };
            steps.push((point.to_s, self.lines.iter().filter_map(value).collect::<Vec<_>>().join(", ")));
            covered = point.to_s;
        }
        if covered > 0 {
            steps.push((0, UNKNOWN.to_owned()));
        }
        steps
    }
}
