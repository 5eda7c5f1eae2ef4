//! One line of the log, before it is written.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::escaped::Escaped;

/// The parts of a line. Texts and values are [`Escaped`].
#[derive(Debug)]
pub(super) struct Line {
    /// The time of day at which it was logged.
    pub(super) time: String,
    pub(super) level: Level,
    text: String,
    fields: Vec<(&'static str, String)>,
    /// Lines lost before this one, because the log is too slow.
    pub(super) lost: u64,
}

impl Line {
    /// Makes a line of what was logged.
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut time = String::new();
        // Writing into a String cannot fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        let level = *event.metadata().level();
        let mut line = Self { time, level, text: String::new(), fields: Vec::new(), lost: 0 };
        event.record(&mut line);
        line
    }

    /// Returns the text for people: with the fields after it, because a log shows only the text by default, and with the number of
    /// lines lost before it.
    pub(super) fn message(&self) -> String {
        let mut out = self.text.clone();
        for (name, value) in &self.fields {
            // Writing into a String cannot fail.
            let _ = write!(out, " {name}={value}");
        }
        let _ = match self.lost {
            0 => Ok(()),
            1 => write!(out, " (before this, one line was lost: the log is too slow)"),
            lost => write!(out, " (before this, {lost} lines were lost: the log is too slow)"),
        };
        out
    }

    /// Returns the fields' names and values.
    pub(super) fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }

    /// Returns the level's number in syslog(3).
    pub(super) fn priority(&self) -> u8 {
        match self.level {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = write!(Escaped::new(&mut text), "{value:?}");
        if field.name() == "message" {
            self.text = text;
        } else {
            self.fields.push((field.name(), text));
        }
    }
}
