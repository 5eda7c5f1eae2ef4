//! Logs: to stderr, one line a change of state. Under systemd they go to the journal with their fields; in the background, and
//! under whoever has led stderr to /dev/null, they go to syslog.

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

/// The number of /dev/null, null(4); the kernel has given it to no other file.
const NULL: (u64, u64) = (1, 3);

/// Starts logging what is of `usual` level or worse; `EKEYD_LOG` may name another level (`debug`, `info`, `warn`, `error`).
pub(crate) fn start(usual: Level) {
    if is_journal()
        && let Ok(journal) = Journal::connect(Path::new(journal::SOCKET))
    {
        let level = LevelFilter::from_level(level(usual));
        return tracing_subscriber::registry().with(level).with(journal).init();
    }
    let builder = tracing_subscriber::fmt().with_max_level(level(usual)).with_writer(io::stderr).with_target(false);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.with_ansi(false).event_format(ForJournal(Format::default().without_time().with_level(false))).init();
    } else {
        builder.with_ansi(io::stderr().is_terminal()).init();
    }
}

/// Starts logging of a service: as [`start`] does, but to syslog where nobody would ever read stderr.
pub(crate) fn start_service() {
    // As supervise-daemon of OpenRC and start-stop-daemon leave it where they have no place for it.
    if fstat(io::stderr()).is_ok_and(|stat| (major(stat.st_rdev), minor(stat.st_rdev)) == NULL) {
        return start_syslog("ekeyd");
    }
    start(Level::INFO);
}

/// Starts logging to syslog under `name`, what is informational or worse, or as `EKEYD_LOG` says.
pub(crate) fn start_syslog(name: &'static str) {
    tracing_subscriber::fmt()
        .with_max_level(level(Level::INFO))
        .with_target(false)
        .with_ansi(false)
        .with_writer(move || Syslog { name })
        .event_format(ForJournal(Format::default().without_time().with_level(false).with_target(false)))
        .init();
}

/// Whether standard error leads to the journal itself, and not to a terminal or file of somebody that it started.
fn is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn level(usual: Level) -> Level {
    let Some(named) = std::env::var_os("EKEYD_LOG") else { return usual };
    named.to_str().and_then(|level| level.parse().ok()).unwrap_or_else(|| {
        complain(format_args!("EKEYD_LOG={} is no level (error, warn, info, debug): taking {usual}", named.display()));
        usual
    })
}

/// Sends each line as a message to the system's log, syslog(3). Opened for each, since that log may be restarted.
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

/// The line that starts with its level as [`ForJournal`] wrote it, as the system's log takes it.
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

/// The level as the journal reads it at the front of a line, sd-daemon(3).
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

/// The level as syslog(3) counts.
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
    fn a_line_goes_to_syslog_with_facility_level_name_and_process() {
        let pid = std::process::id();
        for (line, due) in [
            (&b"<4> it closed\n"[..], format!("<28>client[{pid}]: it closed")),
            (b"<6>up\n", format!("<30>client[{pid}]: up")),
            (b"no level", format!("<30>client[{pid}]: no level")),
            (b"", format!("<30>client[{pid}]: ")),
        ] {
            assert_eq!(String::from_utf8_lossy(&message("client", line)), due);
        }
    }
}
