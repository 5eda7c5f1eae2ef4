//! Logs: to stderr, one line a change of state. Under systemd the journal adds time and level by itself.

use std::fmt;
use std::io::{self, IsTerminal as _};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging what is of `usual` level or worse; `EKEYD_LOG` may name another level (`debug`, `info`, `warn`, `error`).
pub(crate) fn start(usual: Level) {
    let level = std::env::var("EKEYD_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(usual);
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.with_ansi(false).event_format(ForJournal(Format::default().without_time().with_level(false))).init();
    } else {
        builder.with_ansi(io::stderr().is_terminal()).init();
    }
}

/// The level as the journal reads it at the front of a line, sd-daemon(3).
struct ForJournal(Format<tracing_subscriber::fmt::format::Full, ()>);

impl<S, N> FormatEvent<S, N> for ForJournal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}
