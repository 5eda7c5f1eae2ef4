//! What the programs cost, for `tests/costs`: each figure, a reference of the same run (the original program, a dummy,
//! or the machine's own cost), and its bound.
//!
//! A file has one subject or a few that are measured alike. A figure that other work on the machine disturbs is the
//! median of several runs, ours and the reference in turn.

mod answers;
mod capacity;
mod figure;
mod flood;
mod frame;
mod growth;
mod idle;
mod instructions;
mod limits;
mod memory;
mod priority;
pub mod rude;
mod serving;
mod start;
pub mod table;
mod tls;
mod usb;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use figure::{Bound, Figure, Unit};
pub use table::Row;

/// The result of a measurement.
pub enum Outcome {
    /// Figures.
    Figures(Vec<Figure>),
    /// None, because this is missing on the machine.
    Skipped(String),
    /// None, because of this failure.
    Failed(String),
}

/// A subject to measure.
pub struct Subject {
    /// Its name for `--only`.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    measure: fn() -> Result<Vec<Figure>, Missing>,
}

/// What a measurement needs and the machine lacks.
pub struct Missing(String);

/// All subjects.
pub const SUBJECTS: [&[Subject]; 14] = [
    frame::SUBJECTS,
    instructions::SUBJECTS,
    start::SUBJECTS,
    idle::SUBJECTS,
    memory::SUBJECTS,
    growth::SUBJECTS,
    answers::SUBJECTS,
    serving::SUBJECTS,
    rude::SUBJECTS,
    flood::SUBJECTS,
    limits::SUBJECTS,
    capacity::SUBJECTS,
    tls::SUBJECTS,
    usb::SUBJECTS,
];

impl Subject {
    /// Measures it. A panic becomes a row that says so.
    #[must_use]
    pub fn row(&self) -> Row {
        let outcome = match catch_unwind(AssertUnwindSafe(self.measure)) {
            Ok(Ok(figures)) => Outcome::Figures(figures),
            Ok(Err(Missing(what))) => Outcome::Skipped(what),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
                Outcome::Failed(said.unwrap_or("it panicked").to_owned())
            }
        };
        Row { subject: self.name, outcome }
    }
}

/// Which daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// `ekeyd` of this workspace.
    Ours,
    /// The vendor's `ekeyd`.
    Original,
}

/// The name of the original's daemon in the table.
const ORIGINAL: &str = "the original";

/// Returns the medians of the original's values and of ours, `RUNS` of each, taken in turn, so that other load on the
/// machine affects both.
fn medians<const RUNS: usize>(mut measure: impl FnMut(Which) -> f64) -> (f64, f64) {
    let pairs = [(); RUNS].map(|()| (measure(Which::Original), measure(Which::Ours)));
    (median(pairs.map(|pair| pair.0)), median(pairs.map(|pair| pair.1)))
}

fn median<const RUNS: usize>(mut values: [f64; RUNS]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[RUNS / 2]
}
