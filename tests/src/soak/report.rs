//! What a soak has shown: a table, and a plot of the daemon's memory over time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::Compared;
use super::samples::{Sample, thirds};
use super::stretch::Lines;
use super::{ENOUGH, Order};
use crate::plot::{Curve, logarithmic};

/// The columns of [`Report::row`].
const HEAD: &str = "| lasted | seed | compared | faults of keys | happenings | bytes altered / handed out twice | \
                    whole frames missing, of those sent undisturbed | \
                    KB resident, descriptors, threads: first / last third | findings |\n\
                    |---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// The figures so far.
#[derive(Debug, Clone)]
pub struct Report {
    /// The settings.
    pub order: Order,
    /// How long it has lasted.
    pub lasted: Duration,
    /// Every finding, with the moment it was seen.
    pub findings: Vec<String>,
    /// What was compared.
    pub compared: Compared,
    /// Bytes that the keys have sent whole.
    pub sent_bytes: u64,
    /// Bytes that the daemon has verified.
    pub verified_bytes: u64,
    /// Bytes that clients have read.
    pub client_bytes: u64,
    /// Connections that clients have made.
    pub connections: u64,
    /// Bytes in the output file.
    pub file_bytes: u64,
    /// Roughly how often each fault of the keys has struck.
    pub faults: BTreeMap<&'static str, u64>,
    /// How often each event of the plan has happened.
    pub happened: BTreeMap<&'static str, u64>,
    /// Counters of the status, added up.
    pub counted: BTreeMap<String, u64>,
    /// Commands on the control socket that changed something.
    pub commands: u64,
    /// How often the books were checked.
    pub looks: u64,
    /// How often everything settled and each byte had arrived.
    pub settled: u64,
    /// Lines in the logs of the daemons that have ended.
    pub log_lines: u64,
    /// Whole frames that arrived or did not.
    pub lines: Lines,
    /// Samples of the daemon.
    pub samples: Vec<Sample>,
    /// Whether the library that sets the daemon's wall clock was found.
    pub has_clock: bool,
    /// The folder of all files.
    pub folder: PathBuf,
}

impl Report {
    pub(super) fn new(order: Order, has_clock: bool, folder: &Path) -> Self {
        Self {
            order,
            lasted: Duration::ZERO,
            findings: Vec::new(),
            compared: Compared::default(),
            sent_bytes: 0,
            verified_bytes: 0,
            client_bytes: 0,
            connections: 0,
            file_bytes: 0,
            faults: BTreeMap::new(),
            happened: BTreeMap::new(),
            counted: BTreeMap::new(),
            commands: 0,
            looks: 0,
            settled: 0,
            log_lines: 0,
            lines: Lines::default(),
            samples: Vec::new(),
            has_clock,
            folder: folder.to_owned(),
        }
    }

    pub(super) fn is_hopeless(&self) -> bool {
        self.findings.len() >= ENOUGH
    }

    /// Returns the progress in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let last = self.samples.last();
        format!(
            "{:.0} s: {} compared, {} altered, {} twice; {} KB, {} descriptors, {} threads; {} findings",
            self.lasted.as_secs_f64(),
            megabytes(self.compared.served),
            self.compared.altered,
            self.compared.twice,
            last.map_or(0, |sample| sample.resident),
            last.map_or(0, |sample| sample.descriptors),
            last.map_or(0, |sample| sample.threads),
            self.findings.len()
        )
    }

    /// Returns the row that docs/soak.md keeps of a long run.
    #[must_use]
    pub fn row(&self) -> String {
        let memory = thirds(&self.samples).map_or_else(
            || "too short".to_owned(),
            |(first, last)| {
                format!(
                    "{} / {} KB, {} / {}, {} / {}",
                    first.resident, last.resident, first.descriptors, last.descriptors, first.threads, last.threads
                )
            },
        );
        format!(
            "| {} | {} | {} | {} | {} | {} | {} of {} | {} | {} |",
            span(self.lasted),
            self.order.seed,
            megabytes(self.compared.served),
            self.faults.values().sum::<u64>(),
            self.happened.values().sum::<u64>(),
            format_args!("{} / {}", self.compared.altered, self.compared.twice),
            self.lines.missing(),
            self.lines.calm_blocks,
            memory,
            self.findings.len()
        )
    }

    /// Returns the whole report as Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{HEAD}\n{}\n\n| what | figure |\n|---|---:|\n", self.row());
        let mut row = |what: &str, figure: &dyn std::fmt::Display| {
            let _ = writeln!(text, "| {what} | {figure} |");
        };
        row("lasted", &span(self.lasted));
        row("seed", &self.order.seed);
        row("bytes that keys sent whole", &self.sent_bytes);
        row("bytes that the daemon verified", &self.verified_bytes);
        row("bytes that clients read", &self.client_bytes);
        row("bytes in the file", &self.file_bytes);
        row("bytes compared", &self.compared.served);
        row("bytes altered", &self.compared.altered);
        row("bytes served twice", &self.compared.twice);
        row("connections", &self.connections);
        row("the books checked and right", &self.looks);
        row("everything settled and each byte arrived", &self.settled);
        let lines = self.lines;
        row("whole frames of steadfast keys, undisturbed", &lines.calm_blocks);
        row("of these missing in total", &lines.missing());
        row("stretches of time for these", &lines.calm);
        row("whole frames of steadfast keys, the daemon suspended or reopening the key", &lines.disturbed_blocks);
        row("of these missing in total", &lines.disturbed_lost);
        row("stretches of time for these", &lines.disturbed);
        row("commands that changed something", &self.commands);
        row("lines of log", &self.log_lines);
        for (name, times) in &self.happened {
            row(name, times);
        }
        for (name, times) in &self.faults {
            row(&format!("fault `{name}`, about"), times);
        }
        for (name, count) in &self.counted {
            row(&format!("counted by the daemon: {name}"), count);
        }
        if let Some((first, last)) = thirds(&self.samples) {
            row(
                "resident memory, first and last third of the longest life, KB",
                &format_args!("{} and {}", first.resident, last.resident),
            );
            row("descriptors without clients'", &format_args!("{} and {}", first.descriptors, last.descriptors));
            row("threads", &format_args!("{} and {}", first.threads, last.threads));
        }
        let peak = self.samples.iter().map(|sample| sample.resident).max().unwrap_or_default();
        row("peak resident memory seen, KB", &peak);
        if !self.has_clock {
            row("the wall clock was not changed", &"libfaketime is missing: run tests/run");
        }
        text.push('\n');
        if self.findings.is_empty() {
            text.push_str("No findings.\n");
        } else {
            let _ = writeln!(text, "Findings (logs and output are in {}):\n", self.folder.display());
            for finding in &self.findings {
                let _ = writeln!(text, "- {finding}");
            }
        }
        text
    }

    /// Plots memory and clients over time.
    #[must_use]
    pub fn picture(&self) -> String {
        let minutes = |sample: &Sample| sample.at.as_secs_f64() / 60.0;
        let curve = |name: &str, value: &dyn Fn(&Sample) -> f64| Curve {
            name: name.to_owned(),
            points: self.samples.iter().map(|sample| (minutes(sample), value(sample).max(1.0))).collect(),
        };
        logarithmic(
            "The daemon over time",
            "minutes",
            "",
            &[
                curve("resident memory, KB", &|sample| sample.resident as f64),
                curve("clients", &|sample| sample.clients as f64),
                curve("descriptors without clients'", &|sample| sample.descriptors as f64),
                curve("threads", &|sample| sample.threads as f64),
            ],
        )
    }
}

fn span(lasted: Duration) -> String {
    let seconds = lasted.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
