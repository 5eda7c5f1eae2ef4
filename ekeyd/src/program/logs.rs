//! Logging, one line per change of state: to stderr; under systemd to the journal, with fields; to syslog in the background and if
//! stderr is /dev/null.
//!
//! Lines go through a [queue], so that a slow log delays no thread.

mod escaped;
mod journal;
mod line;
mod plain;
mod queue;
mod syslog;

use std::io;
use std::path::Path;

use nix::sys::stat::{fstat, major, minor};
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::program::terminal::complain;
use journal::Journal;
use plain::Stderr;
pub(crate) use queue::Logs;
use queue::{Sink, queue};
use syslog::Syslog;

/// The device number of /dev/null, null(4).
const NULL: (u64, u64) = (1, 3);

/// Starts logging at level `default` and above. `EKEYD_LOG` overrides the level (`debug`, `info`, `warn`, `error`).
///
/// Lines wait until [`Logs::start_writer`] or until the [`Logs`] are dropped.
pub(crate) fn start(default: Level) -> Logs {
    if is_journal()
        && let Ok(journal) = Journal::connect(Path::new(journal::SOCKET))
    {
        return start_with(journal, default);
    }
    start_with(Stderr::open(), default)
}

/// Starts logging for a service: like [`start`], but to syslog if stderr is /dev/null.
pub(crate) fn start_service() -> Logs {
    // OpenRC's supervise-daemon and start-stop-daemon set it so by default.
    if fstat(io::stderr()).is_ok_and(|stat| (major(stat.st_rdev), minor(stat.st_rdev)) == NULL) {
        return start_syslog("ekeyd");
    }
    start(Level::INFO)
}

/// Starts logging to syslog under `name`, at level `info` and above. `EKEYD_LOG` overrides the level.
pub(crate) fn start_syslog(name: &'static str) -> Logs {
    start_with(Syslog::at(Path::new(syslog::SOCKET), name), Level::INFO)
}

fn start_with(sink: impl Sink, default: Level) -> Logs {
    let (entrance, logs) = queue(sink);
    tracing_subscriber::registry().with(LevelFilter::from_level(level(default))).with(entrance).init();
    logs
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
