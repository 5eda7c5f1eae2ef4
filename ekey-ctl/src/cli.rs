//! The command line.

mod capacity;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use ekey_control::chart::Range;
use ekey_control::{DEFAULT_SOCKET, Level};
use ekey_health::Alpha;
use ekey_proto::Serial;

pub(crate) use capacity::Capacity;

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
    /// Set a new long-term key with the master key on the key's card
    ///
    /// The master key is asked for without showing it, or read from a file or standard input; spaces and line breaks do not matter.
    /// A daemon that runs lets go of this one key meanwhile, and gets it back in any case. Nothing is changed by a wrong master key,
    /// nor where the keyring cannot be written.
    ///
    /// Exits with 0 if the new long-term key is in the keyring, 1 if nothing was changed, 2 if the key has or may have a long-term key
    /// that is not in the keyring (it is said what to do), 4 if it is in the keyring and the daemon did not take the key back.
    #[command(after_help = "Example: ekey-ctl rekey NwBvBlg3OTBJORFD")]
    Rekey(Rekey),
    /// Look at and change the keyring
    #[command(subcommand)]
    Keyring(KeyringVerb),
    /// Have the daemon drive a key
    #[command(after_help = "Example: ekey-ctl add /dev/entropykey/NwBvBlg3OTBJORFD")]
    Add(Add),
    /// Have the daemon let go of a key
    #[command(after_help = "Example: ekey-ctl remove NwBvBlg3OTBJORFD")]
    Remove(Remove),
    /// Deal with configuration files
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Take one step of reviving a key now, and tell what came of it
    ///
    /// Exits with 0 if the key has answered, with 1 if not.
    #[command(after_help = "Example: ekey-ctl reset ttyACM0 --level usb")]
    Reset(Reset),
    /// Look at all that may keep a key from working, and say what to do about it
    ///
    /// It looks at the kernel, the daemon, its files, other programs, and each key on USB. It changes nothing, and needs neither
    /// a daemon nor a key. Root sees most. Exits with 0 if there is nothing to be done, with 1 if there is.
    #[command(after_help = "Example: ekey-ctl doctor")]
    Doctor(Doctor),
    /// Write verified bytes to a file, for outside tests
    ///
    /// They come from the daemon's EGD server, and nobody else gets them. A file that is there is not overwritten. Exits with 0 if
    /// all have come, with 1 if no more came for a while: what has come stays in the file.
    #[command(after_help = "Example: ekey-ctl capture sample.bin --bytes 10M")]
    Capture(Capture),
    /// Hold bytes to the health tests and to simple statistics, and show their histogram
    ///
    /// Without FILE they come from the daemon's EGD server. Exits with 0 if nothing speaks against the data, with 1 if something does.
    /// What is predictable can pass all tests: they find a source that is broken, and no more.
    #[command(after_help = "Example: ekey-ctl test sample.bin --svg histogram.svg")]
    Test(Test),
    /// Show the daemon live: its keys, and sparklines of the last minutes
    ///
    /// It is drawn in place until q or ^C. Without a terminal it is printed once.
    #[command(after_help = "Example: ekey-ctl top")]
    Top,
    /// Print a line for each change: of a key's state, refused frames, recoveries, problems of outputs
    ///
    /// It goes on when the daemon stops and starts again, until ^C.
    #[command(after_help = "Example: ekey-ctl watch --json | jq --unbuffered -r 'select(.what == \"state\").text'")]
    Watch(Watch),
    /// Draw the recorded history: rate, pool, temperature, rejected frames, recoveries
    #[command(after_help = "Example: ekey-ctl plot yesterday.svg --range 24h")]
    Plot(Plot),
    /// Tell whether the keys give enough for everybody
    ///
    /// Without --clients: by what the daemon has seen so far. With them: by a simulation of keys, pool and clients, which needs no
    /// daemon, and takes keys and pool from one that runs. It tells how long requests wait, and how many such clients the keys bear.
    /// Exits with 0 if it is enough, with 1 if not.
    #[command(after_help = "Example: ekey-ctl capacity --clients 500:boot --clients 20:tls")]
    Capacity(Capacity),
    /// Write what a shell needs to complete this tool's command line, to standard output
    #[command(after_help = "Example: ekey-ctl completions bash >/etc/bash_completion.d/ekey-ctl")]
    Completions {
        /// Which shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
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
pub(crate) struct Doctor {
    /// Look at the machine whose /proc, /sys, /dev, /etc, /run and /lib are below this folder
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub(crate) root: PathBuf,
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

#[derive(Debug, Args)]
pub(crate) struct Capture {
    /// Where to write; `-` is standard output
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// How many bytes; k, M and G are thousands, millions and milliards
    #[arg(long, value_name = "N", value_parser = bytes)]
    pub(crate) bytes: u64,
    /// Give up when nothing has come for so many seconds
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// What to test; `-` is standard input [default: bytes from the daemon]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How many bytes at most; k, M and G are thousands, millions and milliards [default: all of a file, 1M from the daemon]
    #[arg(long, value_name = "N", value_parser = bytes)]
    pub(crate) bytes: Option<u64>,
    /// How likely good data may fail each test, from 2^-20 to 2^-60
    #[arg(long, value_name = "ALPHA", default_value = "2^-40")]
    pub(crate) alpha: Alpha,
    /// Write the histogram to this file, as SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Give up when nothing has come from the daemon for so many seconds
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// End after so many lines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) changes: Option<u64>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Plot {
    /// The SVG file to write; `-` is standard output
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// 10m: the last ten minutes; 24h: the last day, or as much of it as there is [default: 24h once there is an hour]
    #[arg(long, value_name = "RANGE", value_parser = range)]
    pub(crate) range: Option<Range>,
    /// Overwrite a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rekey {
    /// The key's serial number [default: the only key there is]
    #[arg(value_name = "SERIAL")]
    pub(crate) serial: Option<Serial>,
    /// The key's node, a tty or a unix socket [default: the daemon knows, else where keys usually are]
    #[arg(long, value_name = "PATH")]
    pub(crate) device: Option<PathBuf>,
    /// The keyring to write [default: the one that the daemon reads, else /etc/entropykey/keyring]
    #[arg(long, value_name = "PATH")]
    pub(crate) keyring: Option<PathBuf>,
    /// Read the master key from this file; `-` is standard input, which is read anyway if it is no terminal
    #[arg(long, value_name = "F")]
    pub(crate) master_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyringVerb {
    /// List whose long-term keys are there: serial numbers, nothing secret
    #[command(after_help = "Example: ekey-ctl keyring list")]
    List(WithKeyring),
    /// Add a long-term key, in place of any that this key has there; a daemon that reads the keyring is told
    ///
    /// The long-term key (44 characters, or a whole line of a keyring) is asked for, or read from a file or standard input.
    #[command(after_help = "Example: ekey-ctl keyring add NwBvBlg3OTBJORFD --file key.ltk")]
    Add(KeyringAdd),
    /// Remove a long-term key; a daemon that reads the keyring is told
    #[command(after_help = "Example: ekey-ctl keyring remove NwBvBlg3OTBJORFD")]
    Remove(KeyringRemove),
    /// Have the daemon read the keyring again
    #[command(after_help = "Example: ekey-ctl keyring reload")]
    Reload(WithKeyring),
}

#[derive(Debug, Args)]
pub(crate) struct WithKeyring {
    /// The keyring [default: the one that the daemon reads, else /etc/entropykey/keyring]
    #[arg(long, value_name = "PATH")]
    pub(crate) keyring: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct KeyringAdd {
    /// The key's serial number, 16 characters
    #[arg(value_name = "SERIAL")]
    pub(crate) serial: Serial,
    /// Read the long-term key from this file; `-` is standard input, which is read anyway if it is no terminal
    #[arg(long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) at: WithKeyring,
}

#[derive(Debug, Args)]
pub(crate) struct KeyringRemove {
    /// The key's serial number, 16 characters
    #[arg(value_name = "SERIAL")]
    pub(crate) serial: Serial,
    #[command(flatten)]
    pub(crate) at: WithKeyring,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The key's node, a tty or a unix socket
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// The serial number that the key there must have
    #[arg(value_name = "SERIAL")]
    pub(crate) serial: Option<Serial>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// A serial number, a number from `list`, a path, or the last names of a path
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Write what an ekeyd.conf of the original daemon says as ekeyd.toml, to standard output
    ///
    /// What ekeyd.toml cannot say becomes a comment that begins with "Not".
    #[command(after_help = "Example: ekey-ctl config convert >/etc/entropykey/ekeyd.toml")]
    Convert(Convert),
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The original's configuration; `-` is standard input
    #[arg(value_name = "FILE", default_value = "/etc/entropykey/ekeyd.conf")]
    pub(crate) file: PathBuf,
}

/// A year: longer than anybody waits, and short enough that no sum overflows.
const MOST_SECONDS: f64 = 31_536_000.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=MOST_SECONDS).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("a number of seconds from 0 to {MOST_SECONDS} is due")),
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(['k', 'M', 'G']);
    let unit = match &text[digits.len()..] {
        "" => 1,
        "k" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => 0,
    };
    let count = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
    count.filter(|count| *count > 0).ok_or_else(|| "a number of bytes from 1 on is due, such as 4096 or 10M".to_owned())
}

fn range(text: &str) -> Result<Range, String> {
    let known = Range::ALL.into_iter().find(|range| range.word() == text);
    known.ok_or_else(|| "expected 10m or 24h".to_owned())
}

fn level(text: &str) -> Result<Level, String> {
    let known = Level::ALL.into_iter().find(|level| level.word() == text);
    known.ok_or_else(|| "expected soft, reopen, usb or port".to_owned())
}
