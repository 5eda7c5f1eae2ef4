//! The program under the name `ekeyd-egd-linux`, or one of the client's other names: replaces the original's client, which feeds the
//! kernel from an EGD server, with the same flags, exit codes and pid file.
//!
//! As in the original, `-D` makes it a background process that logs to syslog, and without `-r` it fails if the server does not
//! answer at the start, and it credits what it fetches in any way. Three things are better: it also feeds kernels that never ask
//! for entropy, what it fetches must pass the health tests, and it has a control socket, so `ekey-ctl status --socket
//! /run/ekeyd-egd-linux.sock` shows its state.

use std::ffi::OsString;
use std::io;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt as _};

use crate::config::{Config, Credit, Egd, EgdClient, Kernel, Server, Tls};
use crate::confine;
use crate::daemon::{Daemon, DaemonError};
use crate::program::background::{self, Background, Side, absolute};
use crate::program::logs::{self, Logs};
use crate::program::pid_file::{PidFile, PidFileError};
use crate::program::terminal::{complain, say};

/// The names that select this program: Debian's, the original manual page's and Gentoo's, upstream's and CentOS's.
const NAMES: [&str; 3] = [NAME, "ekey-egd-linux", "egd-linux"];
const NAME: &str = "ekeyd-egd-linux";
const CONTROL: &str = "/run/ekeyd-egd-linux.sock";
/// Bytes in a block of the flag `-b`: 1024 bits.
const BLOCK: usize = 128;

const HELP: &str = "\
Feeds this machine's kernel with entropy from another machine's EGD server.

Usage: ekeyd-egd-linux [-H HOST] [-p PORT] [-b BLOCKS] [-S SHANNONS] [-r TIME] [-t TIME] [-D PIDFILE]

  -H HOST      name or address of the server (default: 127.0.0.1)
  -p PORT      port of the server (default: 8888)
  -b BLOCKS    blocks of 1024 bits to keep in reserve, 1 to 4 (default: 4)
  -S SHANNONS  bits of entropy to credit per byte, 1 to 8 (default: 7); also -s
  -r TIME      seconds between connection attempts (default: 0, fail if the first attempt fails)
  -t TIME      seconds to wait for an answer, 1 to 600 (default: 10)
  -D PIDFILE   run in the background, log to syslog, and write the process id to PIDFILE
  -C SOCKET    path of the control socket, for `ekey-ctl status --socket` (default: /run/ekeyd-egd-linux.sock)
  --tls-certificate FILE, --tls-key FILE, --tls-authority FILE
               connect by TLS with these PEM files; give all three
  -h           print this help
  -v           print the version

The same in ekeyd.toml: [egd-client] connect = \"tcp:HOST:PORT\" or \"tls:HOST:PORT\"
";

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Help,
    Version,
    Run(Box<Plan>),
}

/// A run of the program.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    config: Config,
    pid_file: Option<PathBuf>,
    /// Whether to fail if the first connection to the server fails.
    must_be_there: bool,
}

/// Says why the program ends.
#[derive(Debug, thiserror::Error)]
enum Ended {
    /// The first connection failed, and the flags ask for no retry.
    #[error("{0}: {1}; start its EGD server, or retry with -r SECONDS")]
    NoServer(String, io::Error),
    /// The system cannot start the background process.
    #[error("cannot run in the background: {0}; omit -D")]
    Foreground(io::Error),
    /// The pid file cannot be written.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// The daemon cannot run.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

/// Returns whether the program was started under this name.
pub(crate) fn is_called(line: &Parser) -> bool {
    line.bin_name()
        .and_then(|name| Path::new(name).file_name())
        .is_some_and(|name| NAMES.iter().any(|own| name == *own))
}

/// Parses the command line and carries it out. Returns the exit code: 1 for any failure, as in the original.
pub(crate) fn main(line: Parser) -> ExitCode {
    match asked(line) {
        Ok(Asked::Help) => say(HELP.trim_end()),
        Ok(Asked::Version) => say(format_args!("{NAME}: Version {}", env!("CARGO_PKG_VERSION"))),
        Ok(Asked::Run(plan)) => {
            return run(*plan).unwrap_or_else(|error| {
                complain(format_args!("{NAME}: {error}"));
                ExitCode::FAILURE
            });
        }
        Err(error) => {
            complain(format_args!("{NAME}: {error}; try `{NAME} -h`"));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn asked(mut line: Parser) -> Result<Asked, lexopt::Error> {
    let (mut host, mut port) = ("127.0.0.1".to_owned(), 8888);
    let (mut blocks, mut shannons, mut retry, mut timeout) = (4, 7, 0, 10);
    let (mut pid_file, mut control) = (None, PathBuf::from(CONTROL));
    let (mut certificate, mut key, mut authority) = (None, None, None);
    while let Some(arg) = line.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Short('v') | Arg::Long("version") => return Ok(Asked::Version),
            Arg::Short('H') => host = line.value()?.string()?,
            Arg::Short('p') => port = number(line.value()?, "-p", 1..=u16::MAX)?,
            Arg::Short('b') => blocks = number(line.value()?, "-b", 1..=4)?,
            Arg::Short('S' | 's') => shannons = number(line.value()?, "-S", 1..=8)?,
            Arg::Short('r') => retry = number(line.value()?, "-r", 0..=86_400)?,
            Arg::Short('t') => timeout = number(line.value()?, "-t", 1..=600)?,
            Arg::Short('D') => pid_file = Some(absolute(&line.value()?)?),
            Arg::Short('C') => control = absolute(&line.value()?)?,
            Arg::Long("tls-certificate") => certificate = Some(absolute(&line.value()?)?),
            Arg::Long("tls-key") => key = Some(absolute(&line.value()?)?),
            Arg::Long("tls-authority") => authority = Some(absolute(&line.value()?)?),
            other => return Err(other.unexpected()),
        }
    }
    let tls = match (certificate, key, authority) {
        (None, None, None) => None,
        (Some(certificate), Some(key), Some(authority)) => Some(Tls { certificate, key, authority }),
        _ => return Err("TLS needs --tls-certificate, --tls-key and --tls-authority".into()),
    };
    let server = Server::at(&host, port, tls.is_some());
    let server = server.ok_or_else(|| format!("-H {}: expected a name or an address", host.escape_debug()))?;
    let mut client = EgdClient {
        tls,
        // -S says how much to credit.
        credit: Credit::All,
        reserve_bytes: blocks * BLOCK,
        timeout: Duration::from_secs(timeout),
        ..EgdClient::of(vec![server])
    };
    if retry > 0 {
        client.first_pause = Duration::from_secs(retry);
        client.longest_pause = client.first_pause;
    }
    let mut config = config(client, control, shannons);
    config.sandbox.pid_file.clone_from(&pid_file);
    let plan = Plan { config, pid_file, must_be_there: retry == 0 };
    Ok(Asked::Run(Box::new(plan)))
}

fn config(client: EgdClient, control: PathBuf, bits_per_byte: u8) -> Config {
    let mut config = Config { control: vec![control], egd_client: Some(client), ..Config::default() };
    config.keys.discover = false;
    config.kernel = Kernel { enabled: true, bits_per_byte, ..config.kernel };
    config.pool.bytes = 4096;
    config.egd = Egd { listen: Vec::new(), ..config.egd };
    config
}

fn number<N>(value: OsString, flag: &str, range: RangeInclusive<N>) -> Result<N, lexopt::Error>
where
    N: FromStr + PartialOrd + std::fmt::Display,
{
    let text = value.string()?;
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (text, least, most) = (text.escape_debug(), range.start(), range.end());
        format!("{flag} {text}: expected a whole number from {least} to {most}").into()
    })
}

/// Connects if it must, and runs: in the background with -D.
fn run(plan: Plan) -> Result<ExitCode, Ended> {
    if plan.must_be_there {
        plan.config.egd_client.iter().flat_map(|client| &client.connect).try_for_each(reach)?;
    }
    let Some(path) = plan.pid_file.clone() else {
        return stay(plan, None, &logs::start(tracing::Level::INFO));
    };
    let pid_file = PidFile::make(path)?;
    match background::go().map_err(Ended::Foreground)? {
        Side::Foreground(code) => Ok(code),
        Side::Background(side) => stay(plan, Some((pid_file, side)), &logs::start_syslog(NAME)),
    }
}

fn stay(plan: Plan, background: Option<(PidFile, Background)>, logs: &Logs) -> Result<ExitCode, Ended> {
    confine::from_the_start();
    tracing::info!("EGD client starts, version {}", env!("CARGO_PKG_VERSION"));
    let daemon = Daemon::start(plan.config, None, false, || logs.start_writer())?;
    let pid_file = background.map(|(pid_file, side)| side.ready(pid_file)).transpose()?;
    let ended = daemon.run(None);
    pid_file.into_iter().for_each(PidFile::remove);
    Ok(background::code_of(ended))
}

fn reach(server: &Server) -> Result<(), Ended> {
    let (Server::Tcp { host, port } | Server::Tls { host, port }) = server else { return Ok(()) };
    TcpStream::connect((host.as_str(), *port)).map(drop).map_err(|error| Ended::NoServer(server.to_string(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Plan {
        match asked(Parser::from_args(words.iter().copied())) {
            Ok(Asked::Run(plan)) => *plan,
            other => panic!("{words:?} gave {other:?}"),
        }
    }

    fn client(words: &[&str]) -> EgdClient {
        plan(words).config.egd_client.expect("a client")
    }

    #[test]
    fn the_defaults_are_the_originals() {
        let plan = plan(&[]);
        assert!(plan.must_be_there, "without -r the server must be there");
        assert_eq!(plan.pid_file, None);
        assert_eq!((plan.config.kernel.enabled, plan.config.kernel.bits_per_byte), (true, 7));
        assert_eq!(plan.config.egd.listen, []);
        assert!(!plan.config.keys.discover && plan.config.keys.paths.is_empty());
        let client = client(&[]);
        assert_eq!(client.connect, [Server::Tcp { host: "127.0.0.1".to_owned(), port: 8888 }]);
        assert_eq!((client.reserve_bytes, client.timeout), (512, Duration::from_secs(10)));
    }

    #[test]
    fn the_init_scripts_flags_are_parsed() {
        let words = ["-H10.19.3.101", "-p8889", "-b3", "-S6", "-r128", "-D/run/pid", "-t", "20", "-C/c"];
        let seen = plan(&words);
        assert_eq!(seen.pid_file.as_deref(), Some(Path::new("/run/pid")));
        assert!(!seen.must_be_there);
        assert_eq!(seen.config.kernel.bits_per_byte, 6);
        assert_eq!(seen.config.control, [Path::new("/c")]);
        let client = client(&words);
        assert_eq!(client.connect, [Server::Tcp { host: "10.19.3.101".to_owned(), port: 8889 }]);
        assert_eq!((client.reserve_bytes, client.timeout), (3 * 128, Duration::from_secs(20)));
        assert_eq!((client.first_pause, client.longest_pause), (Duration::from_secs(128), Duration::from_secs(128)));
        assert_eq!(plan(&["-s", "5", "-H", "::1"]).config.kernel.bits_per_byte, 5);
    }

    #[test]
    fn the_error_names_the_wrong_flag() {
        for (words, named) in [
            (&["-b0"][..], "-b 0: expected a whole number from 1 to 4"),
            (&["-b", "5"], "-b 5"),
            (&["-S", "9"], "-S 9"),
            (&["-t0"], "-t 0"),
            (&["-t601"], "-t 601"),
            (&["-r", "-1"], "-r -1"),
            (&["-p", "egd"], "-p egd"),
            (&["-H", "no host"], "-H no host"),
            (&["-q"], "-q"),
            (&["run"], "run"),
            (&["-D"], "-D"),
            (&["--tls-key", "/k"], "--tls-certificate"),
        ] {
            let error = asked(Parser::from_args(words.iter().copied())).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(named), "{words:?}: {error}");
        }
    }

    #[test]
    fn three_tls_files_select_tls() {
        let files = ["--tls-certificate=/c", "--tls-key=/k", "--tls-authority=/a", "-Hkeys"];
        let client = client(&files);
        assert_eq!(client.connect, [Server::Tls { host: "keys".to_owned(), port: 8888 }]);
        let files = Tls { certificate: "/c".into(), key: "/k".into(), authority: "/a".into() };
        assert_eq!(client.tls, Some(files));
    }

    #[test]
    fn its_names_select_this_program() {
        for (name, expected) in [
            ("/usr/sbin/ekeyd-egd-linux", true),
            ("ekey-egd-linux", true),
            ("/usr/local/sbin/egd-linux", true),
            ("/x/ekeyd", false),
            ("/egd-linux/ekeyd", false),
        ] {
            assert_eq!(is_called(&Parser::from_iter([name])), expected, "{name}");
        }
    }
}
