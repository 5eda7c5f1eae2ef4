//! The two ways in which metrics are written down: OpenMetrics 1.0, and the older text format (0.0.4) that every program reads.
//!
//! They differ in how a counter and an information are named in the line that says what they are, in units, and in how the
//! text ends.

use std::fmt::{Display, Write as _};

/// How to write metrics down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The older text format.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// The one that a client wants, which is OpenMetrics only if it names it among what it accepts.
    pub(crate) fn wanted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    /// For the header `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, until the daemon or the key starts anew.
    Counter,
    /// Always 1, for the sake of its labels.
    Info,
}

/// Text that is being written.
pub(super) struct Exposition {
    format: Format,
    out: String,
}

/// One metric, its lines of what it is written already.
pub(super) struct Family<'e> {
    exposition: &'e mut Exposition,
    sample: String,
}

impl Exposition {
    pub(super) fn new(format: Format) -> Self {
        Self { format, out: String::with_capacity(16 * 1024) }
    }

    /// Begins a metric. `name` is without `_total` and `_info`, and ends with `unit` where there is one.
    pub(super) fn family(&mut self, kind: Kind, name: &str, unit: &str, help: &str) -> Family<'_> {
        let (suffix, word) = match kind {
            Kind::Gauge => ("", "gauge"),
            Kind::Counter => ("_total", "counter"),
            Kind::Info => ("_info", "info"),
        };
        debug_assert!(unit.is_empty() || name.ends_with(unit), "{name} lacks its unit");
        let sample = format!("ekeyd_{name}{suffix}");
        let (family, word) = match (self.format, kind) {
            (Format::OpenMetrics, _) => (format!("ekeyd_{name}"), word),
            (Format::Text, Kind::Info) => (sample.clone(), "gauge"),
            (Format::Text, _) => (sample.clone(), word),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(self.out, "# HELP {family} {help}\n# TYPE {family} {word}");
        if self.format == Format::OpenMetrics && !unit.is_empty() {
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

    /// Writes one sample, if there is a value.
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
