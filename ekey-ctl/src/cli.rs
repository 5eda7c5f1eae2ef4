//! The command line.

mod capacity;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, Command, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use ekey_control::chart::Range;
use ekey_control::nearest::nearest;
use ekey_control::{DEFAULT_SOCKET, Level};
use ekey_health::Alpha;
use ekey_proto::Serial;

use crate::completion::Asking;

pub(crate) use capacity::Capacity;

/// Shows and controls the Entropy Key daemon.
#[derive(Debug, Parser)]
#[command(
    name = "ekey-ctl",
    version,
    after_help = "Example: ekey-ctl status\n\nExit codes: 0 to 2 as each verb says, 3 no daemon, 4 any other failure, 64 wrong command line."
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
    /// Show the keys, the outputs, and whether all is well
    ///
    /// Exits with 0 if all keys run, 1 if some do not, 2 if none does, 3 if no daemon runs.
    #[command(after_help = "Example: ekey-ctl status --json | jq .keys[0].state.name")]
    Status(Json),
    /// List the keys, one line each
    #[command(after_help = "Example: ekey-ctl list")]
    List(Json),
    /// Show the counters of one key
    #[command(after_help = "Example: ekey-ctl stats ttyACM0")]
    Stats(Stats),
    /// Wait for verified entropy
    ///
    /// Without --bytes, waits until a key runs and has delivered at least one verified byte. Also waits for a daemon that has not started
    /// yet. Exits with 0 on success, with 1 on timeout.
    #[command(after_help = "Example: ekey-ctl wait --bytes 1024 --timeout 30")]
    Wait(Wait),
    /// Set a new long-term key with the master key from the key's card
    ///
    /// Asks for the master key without showing it, or reads it from a file or standard input; ignores spaces and line breaks. A running
    /// daemon releases this one key meanwhile and gets it back in any case. A wrong master key changes nothing, and neither does a
    /// keyring that cannot be written. At the end, a frame of the key must verify under the new long-term key.
    ///
    /// Root follows its configuration: if the daemon names another keyring or node, nothing is changed, and a message names both.
    ///
    /// Exits with 0 if the new long-term key is in the keyring and the key uses it, 1 if nothing was changed, 2 if the key has or may
    /// have a long-term key that is not in the keyring (a message says what to do), 4 if it is in the keyring but no frame verified
    /// under it, or the daemon did not take the key back.
    #[command(after_help = "Example: ekey-ctl rekey NwBvBlg3OTBJORFD")]
    Rekey(Rekey),
    /// Show and change the keyring
    #[command(subcommand)]
    Keyring(KeyringVerb),
    /// Make the daemon drive a key
    #[command(after_help = "Example: ekey-ctl add /dev/entropykey/NwBvBlg3OTBJORFD")]
    Add(Add),
    /// Make the daemon release a key
    #[command(after_help = "Example: ekey-ctl remove NwBvBlg3OTBJORFD")]
    Remove(Remove),
    /// Convert configuration files
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Take one step of reviving a key now, and report the result
    ///
    /// Exits with 0 if the key answered, with 1 if not.
    #[command(after_help = "Example: ekey-ctl reset ttyACM0 --level usb")]
    Reset(Reset),
    /// Check everything that may keep a key from working, and give advice
    ///
    /// Checks the kernel, the daemon, its files, other programs, and each key on USB. Changes nothing, and needs neither a daemon nor
    /// a key. Root sees most. Exits with 0 if there is nothing to do, with 1 otherwise.
    #[command(after_help = "Example: ekey-ctl doctor")]
    Doctor(Doctor),
    /// Write verified bytes to a file, for tests with other programs
    ///
    /// Takes the bytes from the daemon's EGD server; no other client gets them. A full disk leaves no file behind. Exits with 0 if all bytes came,
    /// with 1 after --timeout without a byte: the file keeps what came.
    #[command(after_help = "Example: ekey-ctl capture sample.bin --bytes 10M")]
    Capture(Capture),
    /// Run health tests and simple statistics on bytes, and show their histogram
    ///
    /// Without FILE, takes the bytes from the daemon's EGD server. Exits with 0 if the data pass every test, with 1 otherwise.
    /// Predictable data can pass too: the tests only find a broken source.
    #[command(after_help = "Example: ekey-ctl test sample.bin --svg histogram.svg")]
    Test(Test),
    /// Show the daemon live: its keys, and sparklines of the last minutes
    ///
    /// Redraws in place until q or ^C. Prints once if standard output is not a terminal.
    #[command(after_help = "Example: ekey-ctl top")]
    Top,
    /// Print a line for each change: key states, rejected frames, recoveries, problems of sources and outputs
    ///
    /// Goes on until ^C, even if the daemon restarts.
    #[command(after_help = "Example: ekey-ctl watch --json | jq --unbuffered -r 'select(.what == \"state\").text'")]
    Watch(Watch),
    /// Draw the recorded history: rate, pool, temperature, rejected frames, recoveries
    #[command(after_help = "Example: ekey-ctl plot yesterday.svg --range 24h")]
    Plot(Plot),
    /// Report whether the keys supply enough for all clients
    ///
    /// Without --clients, judges by the daemon's measurements. With --clients, simulates keys, pool and clients; this needs no daemon,
    /// but takes keys and pool from a running one. Reports how long requests wait, and how many such clients the keys can serve.
    /// Exits with 0 if the supply is enough, with 1 if not.
    #[command(after_help = "Example: ekey-ctl capacity --clients 500:boot --clients 20:tls")]
    Capacity(Capacity),
    /// Print the script that completes this tool's command line in a shell
    #[command(after_help = "Example: ekey-ctl completions bash >/etc/bash_completion.d/ekey-ctl")]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Answer the script of `completions`: what may come next
    #[command(hide = true)]
    Complete(Complete),
    /// Make the daemon wipe all the entropy that it holds, and begin new sessions
    ///
    /// For a virtual machine that was cloned, restored or moved: see "Clones and snapshots" in docs/guests.md. Takes the right to change
    /// the daemon, as root and its own user have it. TLS clients are disconnected, and other clients wait for fresh bytes.
    #[command(after_help = "Example: ekey-ctl forget")]
    Forget(Json),
    /// Stop the daemon
    #[command(after_help = "Example: ekey-ctl shutdown")]
    Shutdown(Json),
}

#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// The shell that asks
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Asking,
    /// The words of the command line after the tool's name, the last one unfinished
    #[arg(value_name = "WORD", last = true)]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Force {
    /// Replace an existing file, once the new one is whole
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// A serial number, a number from `list`, a path, or the last names of a path [default: the only key]
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// A serial number, a number from `list`, a path, or the last names of a path [default: the only key]
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// soft: send ^C; reopen: open the link again; usb: reset the USB device; port: switch its port's power off and on
    #[arg(long, value_name = "LEVEL", default_value = "soft", value_parser = level())]
    pub(crate) level: Level,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Check the machine whose /proc, /sys, /dev, /etc, /run and /lib are below this folder
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub(crate) root: PathBuf,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Wait for this many verified bytes from now on; suffixes k, M, G: 10^3, 10^6, 10^9
    #[arg(long, value_name = "N", value_parser = bytes)]
    pub(crate) bytes: Option<u64>,
    /// Give up after this many seconds; fractions are allowed
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Capture {
    /// The file to write; `-` is standard output
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Number of bytes; suffixes k, M, G: 10^3, 10^6, 10^9
    #[arg(long, value_name = "N", value_parser = bytes)]
    pub(crate) bytes: u64,
    #[command(flatten)]
    pub(crate) force: Force,
    /// Give up after this many seconds without a byte
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The file to test; `-` is standard input [default: bytes from the daemon]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Number of bytes at most; suffixes k, M, G: 10^3, 10^6, 10^9 [default: the whole file, 100k from the daemon]
    #[arg(long, value_name = "N", value_parser = bytes)]
    pub(crate) bytes: Option<u64>,
    /// False-alarm rate of each test on good data, from 2^-20 to 2^-60
    #[arg(long, value_name = "ALPHA", default_value = "2^-40")]
    pub(crate) alpha: Alpha,
    /// Write the histogram to this SVG file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) force: Force,
    /// Give up after this many seconds without a byte from the daemon
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// End after this many lines
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
    /// 10m: the last ten minutes; 24h: the last day, as far as recorded [default: 24h once an hour is recorded]
    #[arg(long, value_name = "RANGE", value_parser = range())]
    pub(crate) range: Option<Range>,
    #[command(flatten)]
    pub(crate) force: Force,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Rekey {
    /// The key's serial number [default: the only key]
    #[arg(value_name = "SERIAL")]
    pub(crate) serial: Option<Serial>,
    /// The key's node, a tty or a unix socket [default: the daemon's, else the usual places]
    #[arg(long, value_name = "PATH")]
    pub(crate) device: Option<PathBuf>,
    /// The keyring to write [default: for root that of the configuration, for others that of the daemon]
    #[arg(long, value_name = "PATH")]
    pub(crate) keyring: Option<PathBuf>,
    /// The daemon's configuration, which names its keyring, nodes and user [default: ekeyd.toml, else ekeyd.conf, in /etc/entropykey]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read the master key from this file, which only its owner may access (chmod 600); `-` is standard input [default: standard input if it is not a terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) master_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyringVerb {
    /// List the serial numbers in the keyring, nothing secret
    #[command(after_help = "Example: ekey-ctl keyring list")]
    List(WithKeyring),
    /// Add or replace the long-term key of a key, and make the daemon reload the keyring
    ///
    /// Asks for the long-term key (44 characters, or a whole line of a keyring), or reads it from a file or standard input. Root
    /// follows its configuration: if the daemon names another keyring, nothing is changed, and a message names both.
    #[command(after_help = "Example: ekey-ctl keyring add NwBvBlg3OTBJORFD --file key.ltk")]
    Add(KeyringAdd),
    /// Remove a long-term key, and make the daemon reload the keyring
    #[command(after_help = "Example: ekey-ctl keyring remove NwBvBlg3OTBJORFD")]
    Remove(KeyringRemove),
    /// Make the daemon reload the keyring
    #[command(after_help = "Example: ekey-ctl keyring reload")]
    Reload(Reload),
}

#[derive(Debug, Args)]
pub(crate) struct WithKeyring {
    /// The keyring [default: for root that of the configuration, for others that of the daemon]
    #[arg(long, value_name = "PATH")]
    pub(crate) keyring: Option<PathBuf>,
    /// The daemon's configuration, which names its keyring and user [default: ekeyd.toml, else ekeyd.conf, in /etc/entropykey]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    /// The keyring that the daemon reads [default: the daemon's, else /etc/entropykey/keyring]
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
    /// Read the long-term key from this file, which only its owner may access (chmod 600); `-` is standard input [default: standard input if it is not a terminal]
    #[arg(long, value_name = "FILE")]
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
    /// The expected serial number of the key there
    #[arg(value_name = "SERIAL")]
    pub(crate) serial: Option<Serial>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// A serial number, a number from `list`, a path, or the last names of a path [default: the only key]
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Convert the original daemon's ekeyd.conf to ekeyd.toml, on standard output
    ///
    /// A statement that ekeyd.toml lacks becomes a comment that begins with "Not".
    #[command(after_help = "Example: ekey-ctl config convert >/etc/entropykey/ekeyd.toml")]
    Convert(Convert),
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The original's configuration; `-` is standard input
    #[arg(value_name = "FILE", default_value = "/etc/entropykey/ekeyd.conf")]
    pub(crate) file: PathBuf,
}

/// A year, short enough that no sum of times overflows.
const MOST_SECONDS: f64 = 31_536_000.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=MOST_SECONDS).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("expected a number of seconds from 0 to {MOST_SECONDS}")),
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
    count
        .filter(|count| *count > 0)
        .ok_or_else(|| "expected a number of bytes from 1 on, such as 4096 or 10M".to_owned())
}

/// Returns the verb or option that a person most likely meant.
pub(crate) fn meant(error: &clap::Error) -> Option<String> {
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(said)) => Some(said.clone()),
        _ => None,
    };
    let mut command = Cli::command();
    command.build();
    let mut verbs: Vec<&Command> = vec![&command];
    let mut at = 0;
    while let Some(verb) = verbs.get(at).copied() {
        verbs.extend(verb.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help"));
        at += 1;
    }
    if let Some(said) = said(ContextKind::InvalidSubcommand) {
        return nearest(&said, verbs.iter().map(|verb| verb.get_name())).map(str::to_owned);
    }
    let said = said(ContextKind::InvalidArg)?;
    let options = verbs.iter().flat_map(|verb| verb.get_arguments()).filter_map(|option| option.get_long());
    nearest(said.strip_prefix("--")?, options).map(|meant| format!("--{meant}"))
}

/// A value with a name, so that help, completion and "did you mean" know the names.
fn range() -> impl TypedValueParser<Value = Range> {
    PossibleValuesParser::new(Range::ALL.map(Range::word))
        .map(|text| Range::ALL.into_iter().find(|range| range.word() == text).unwrap_or(Range::Minutes))
}

fn level() -> impl TypedValueParser<Value = Level> {
    PossibleValuesParser::new(Level::ALL.map(Level::word))
        .map(|text| Level::ALL.into_iter().find(|level| level.word() == text).unwrap_or(Level::Soft))
}
