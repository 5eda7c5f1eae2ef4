//! The two formats of metrics: OpenMetrics 1.0, and the older text format (0.0.4) that every program reads.
//!
//! They differ in the names of counters and infos on the HELP and TYPE lines, in units, and in the end of the text.

use std::fmt::{Display, Write as _};

/// A format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The older text format.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// Returns the format for a client's `Accept` header: OpenMetrics only if the header names it.
    pub(crate) fn wanted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    /// Returns the `Content-Type` header.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The units of metrics, which their names end with.
const UNITS: [&str; 5] = ["bytes", "seconds", "celsius", "volts", "ratio"];

/// A metric's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, until the daemon or the key restarts.
    Counter,
    /// Always 1; its labels carry the information.
    Info,
}

/// Writes the metrics as text.
pub(super) struct Exposition {
    format: Format,
    out: String,
}

/// One metric, after its HELP and TYPE lines.
pub(super) struct Family<'e> {
    exposition: &'e mut Exposition,
    sample: String,
}

impl Exposition {
    pub(super) fn new(format: Format) -> Self {
        Self { format, out: String::with_capacity(16 * 1024) }
    }

    /// Begins a metric. `name` has no `_total` or `_info`, and ends with the metric's unit if it has one.
    pub(super) fn family(&mut self, kind: Kind, name: &str, help: &str) -> Family<'_> {
        let (suffix, word) = match kind {
            Kind::Gauge => ("", "gauge"),
            Kind::Counter => ("_total", "counter"),
            Kind::Info => ("_info", "info"),
        };
        let sample = format!("ekeyd_{name}{suffix}");
        let (family, word) = match (self.format, kind) {
            (Format::OpenMetrics, _) => (format!("ekeyd_{name}"), word),
            (Format::Text, Kind::Info) => (sample.clone(), "gauge"),
            (Format::Text, _) => (sample.clone(), word),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(self.out, "# HELP {family} {help}\n# TYPE {family} {word}");
        if self.format == Format::OpenMetrics
            && let Some(unit) = UNITS.into_iter().find(|unit| name.ends_with(unit))
        {
            let _ = writeln!(self.out, "# UNIT {family} {unit}");
        }
        Family { exposition: self, sample }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }
}

impl Family<'_> {
    /// Writes one sample.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let out = &mut self.exposition.out;
        out.push_str(&self.sample);
        for (index, (name, text)) in labels.iter().enumerate() {
            let _ = write!(out, "{}{name}=\"", if index == 0 { '{' } else { ',' });
            escape(text, out);
            out.push('"');
        }
        if !labels.is_empty() {
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
        self
    }

    /// Writes one sample if there is a value.
    pub(super) fn maybe(&mut self, labels: &[(&str, &str)], value: Option<impl Display>) {
        if let Some(value) = value {
            self.sample(labels, value);
        }
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}
