//! Logging, one line per change of state: to stderr; under systemd to the journal, with fields; to syslog in the background and if
//! stderr is /dev/null.

mod journal;

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::sys::stat::{fstat, major, minor};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::program::terminal::complain;
use journal::Journal;

/// The device number of /dev/null, null(4).
const NULL: (u64, u64) = (1, 3);

/// Starts logging at level `default` and above. `EKEYD_LOG` overrides the level (`debug`, `info`, `warn`, `error`).
pub(crate) fn start(default: Level) {
    if is_journal()
        && let Ok(journal) = Journal::connect(Path::new(journal::SOCKET))
    {
        let level = LevelFilter::from_level(level(default));
        return tracing_subscriber::registry().with(level).with(journal).init();
    }
    let builder = tracing_subscriber::fmt().with_max_level(level(default)).with_writer(io::stderr).with_target(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.with_ansi(false).event_format(ForJournal(Format::default().without_time().with_level(false))).init();
    } else {
        builder.with_ansi(io::stderr().is_terminal()).init();
    }
}

/// Starts logging for a service: like [`start`], but to syslog if stderr is /dev/null.
pub(crate) fn start_service() {
    // OpenRC's supervise-daemon and start-stop-daemon set it so by default.
    if fstat(io::stderr()).is_ok_and(|stat| (major(stat.st_rdev), minor(stat.st_rdev)) == NULL) {
        return start_syslog("ekeyd");
    }
    start(Level::INFO);
}

/// Starts logging to syslog under `name`, at level `info` and above. `EKEYD_LOG` overrides the level.
pub(crate) fn start_syslog(name: &'static str) {
    tracing_subscriber::fmt()
        .with_max_level(level(Level::INFO))
        .with_target(false)
        .with_ansi(false)
        .with_writer(move || Syslog { name })
        .event_format(ForJournal(Format::default().without_time().with_level(false).with_target(false)))
        .init();
}

/// Returns whether stderr is the journal. `JOURNAL_STREAM` alone does not show that: child processes inherit the variable.
fn is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn level(default: Level) -> Level {
    let Some(named) = std::env::var_os("EKEYD_LOG") else { return default };
    named.to_str().and_then(|level| level.parse().ok()).unwrap_or_else(|| {
        complain(format_args!("EKEYD_LOG={}: expected error, warn, info or debug; using {default}", named.display()));
        default
    })
}

/// Sends each line to the system's log, syslog(3). Connects for each line, because that log may restart.
struct Syslog {
    name: &'static str,
}

impl Write for Syslog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        UnixDatagram::unbound()?.send_to(&message(self.name, line), "/dev/log")?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Formats a syslog message from a line that starts with its level, as [`ForJournal`] writes it.
fn message(name: &str, line: &[u8]) -> Vec<u8> {
    /// `LOG_DAEMON` of syslog(3).
    const DAEMON: u8 = 24;
    let (level, text) = match line {
        [b'<', digit @ b'0'..=b'7', b'>', text @ ..] => (digit - b'0', text),
        text => (6, text),
    };
    let head = format!("<{}>{name}[{}]: ", DAEMON + level, std::process::id());
    [head.as_bytes(), text.trim_ascii()].concat()
}

/// Starts each line with its level, as the journal expects it, sd-daemon(3).
struct ForJournal(Format<tracing_subscriber::fmt::format::Full, ()>);

impl<S, N> FormatEvent<S, N> for ForJournal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

/// Returns the level's number in syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syslog_line_has_its_level_name_and_process() {
        let pid = std::process::id();
        for (line, expected) in [
            (&b"<4> it closed\n"[..], format!("<28>client[{pid}]: it closed")),
            (b"<6>up\n", format!("<30>client[{pid}]: up")),
            (b"no level", format!("<30>client[{pid}]: no level")),
            (b"", format!("<30>client[{pid}]: ")),
        ] {
            assert_eq!(String::from_utf8_lossy(&message("client", line)), expected);
        }
    }
}
