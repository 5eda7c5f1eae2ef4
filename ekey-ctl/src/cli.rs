//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ekey_control::{DEFAULT_SOCKET, Level};

/// Looks at and steers the Entropy Key daemon.
#[derive(Debug, Parser)]
#[command(
    name = "ekey-ctl",
    version,
    after_help = "Example: ekey-ctl status\n\nExit codes: 3 no daemon, 4 any other failure, 64 wrong command line; 0 to 2 as each verb says."
)]
pub(crate) struct Cli {
    /// The daemon's control socket
    #[arg(long, global = true, value_name = "PATH", default_value = DEFAULT_SOCKET, env = "EKEYD_SOCKET")]
    pub(crate) socket: PathBuf,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show all keys and what each output got, and whether all is well
    ///
    /// Exits with 0 if all keys are running, 1 if some are not, 2 if none is, 3 if there is no daemon.
    #[command(after_help = "Example: ekey-ctl status --json | jq .keys[0].state.name")]
    Status(Json),
    /// List the keys, a line each
    #[command(after_help = "Example: ekey-ctl list")]
    List(Json),
    /// Show the numbers of one key
    #[command(after_help = "Example: ekey-ctl stats ttyACM0")]
    Stats(Stats),
    /// Wait until verified entropy has come
    ///
    /// Without --bytes: until a key is running and at least one byte was ever verified. A daemon that is not there yet is waited for too.
    /// Exits with 0, or with 1 when the time is up.
    #[command(after_help = "Example: ekey-ctl wait --bytes 1024 --timeout 30")]
    Wait(Wait),
    /// Take one step of reviving a key now, and tell what came of it
    ///
    /// Exits with 0 if the key has answered, with 1 if not.
    #[command(after_help = "Example: ekey-ctl reset ttyACM0 --level usb")]
    Reset(Reset),
    /// Stop the daemon
    #[command(after_help = "Example: ekey-ctl shutdown")]
    Shutdown,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// Print JSON for machines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// A serial number, a number from `list`, a path, or the last names of a path
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// A serial number, a number from `list`, a path, or the last names of a path
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// soft: ^C; reopen: the link; usb: reset the USB device; port: switch its port's power off and on
    #[arg(long, value_name = "LEVEL", default_value = "soft", value_parser = level)]
    pub(crate) level: Level,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Wait until this many verified bytes have come since now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) bytes: Option<u64>,
    /// Give up after this many seconds (a fraction may be given)
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// A year: longer than anybody waits, and short enough that no sum overflows.
const MOST_SECONDS: f64 = 31_536_000.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=MOST_SECONDS).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("a number of seconds from 0 to {MOST_SECONDS} is due")),
    }
}

fn level(text: &str) -> Result<Level, String> {
    let known = Level::ALL.into_iter().find(|level| level.word() == text);
    known.ok_or_else(|| "expected soft, reopen, usb or port".to_owned())
}
