//! The figures of a run as Markdown and as JSON, and the machine that they were measured on.

use std::fs;

use serde_json::{Value, json};

use super::{Figure, Outcome};

/// The result of one subject.
pub struct Row {
    /// The subject's name.
    pub subject: &'static str,
    /// Its figures, or why there are none.
    pub outcome: Outcome,
}

impl Row {
    /// Returns whether each figure meets its bound. A skipped subject misses none.
    #[must_use]
    pub fn holds(&self) -> bool {
        match &self.outcome {
            Outcome::Figures(figures) => figures.iter().all(Figure::holds),
            Outcome::Skipped(_) => true,
            Outcome::Failed(_) => false,
        }
    }

    /// Returns its lines of the table.
    #[must_use]
    pub fn markdown(&self) -> String {
        match &self.outcome {
            Outcome::Figures(figures) => figures.iter().map(|figure| line(self.subject, figure)).collect(),
            Outcome::Skipped(why) => format!("| {}: skipped: {why} | | | | | |\n", self.subject),
            Outcome::Failed(why) => format!("| {}: {} | | | | | FAILED |\n", self.subject, why.replace('\n', " ")),
        }
    }

    fn json(&self) -> Vec<Value> {
        match &self.outcome {
            Outcome::Figures(figures) => figures.iter().map(|figure| entry(self.subject, figure)).collect(),
            Outcome::Skipped(why) => vec![json!({ "subject": self.subject, "skipped": why })],
            Outcome::Failed(why) => vec![json!({ "subject": self.subject, "failed": why })],
        }
    }
}

/// The head of the table.
pub const HEAD: &str = "| figure | ours | reference | ratio | bound | |\n|---|---:|---:|---:|---:|---|\n";

/// Returns the whole table with its machine.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let lines: String = rows.iter().map(Row::markdown).collect();
    format!("{}\n\n{HEAD}{lines}", machine())
}

/// Returns the same as JSON.
#[must_use]
pub fn json(rows: &[Row]) -> String {
    let figures: Vec<Value> = rows.iter().flat_map(Row::json).collect();
    let all = json!({ "machine": machine(), "figures": figures });
    format!("{all:#}\n")
}

fn line(subject: &str, figure: &Figure) -> String {
    let Figure { what, unit, ours, reference, .. } = figure;
    let reference = reference.map_or_else(String::new, |(what, value)| format!("{what}: {}", unit.show(value)));
    let ratio = figure.ratio().map_or_else(String::new, |ratio| format!("{ratio:.3}"));
    let verdict = if figure.holds() { "ok" } else { "OVER" };
    format!(
        "| {subject}: {what} | {} | {reference} | {ratio} | {} | {verdict} |\n",
        unit.show(*ours),
        figure.bound_in_words()
    )
}

fn entry(subject: &str, figure: &Figure) -> Value {
    json!({
        "subject": subject,
        "figure": figure.what,
        "unit": figure.unit.to_string(),
        "ours": figure.ours,
        "reference": figure.reference.map(|(what, value)| json!({ "what": what, "value": value })),
        "ratio": figure.ratio(),
        "bound": figure.bound_in_words(),
        "holds": figure.holds(),
    })
}

/// Returns processor, cores and kernel.
fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}, load {load} at the end", kernel.trim())
}
