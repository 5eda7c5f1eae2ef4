//! The command line: `run`, `check`, `demo`, and the original's own.
//!
//! `lexopt` parses it, not the `clap` of the tool and the software key, which would take a tenth of the daemon's memory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use super::background::{self, Background, Side, absolute};
use super::egd_linux;
use super::logs::{self, Logs};
use super::pid_file::{PidFile, PidFileError};
use super::service;
use crate::config::{Config, ConfigError};
use crate::confine::{self, Confinement};
use crate::daemon::{Daemon, DaemonError};
use crate::outlet::Outlet;
use crate::outlet::kernel::Feeder;
use crate::program::terminal::{complain, say};

/// The default configuration: this daemon's own, else the original's.
const CONFIG_FILES: [&str; 2] = ["/etc/entropykey/ekeyd.toml", "/etc/entropykey/ekeyd.conf"];
/// Where the original's daemon writes its process number, for init scripts and monitoring programs.
const PID_FILE: &str = "/var/run/ekeyd.pid";
/// `EX_USAGE` of sysexits(3): a wrong command line.
const EXIT_USAGE: u8 = 64;
/// `EX_CONFIG` of sysexits(3): a wrong configuration, so restarting does not help.
const EXIT_CONFIG: u8 = 78;

const HELP: &str = "\
Drives Simtec Entropy Keys: verifies their entropy and passes it to the kernel, EGD clients and files.

Usage: ekeyd run [--config FILE] [--pid-file FILE]
       ekeyd check [--sandbox] [FILE]
       ekeyd demo [--dir DIR] [--rate N] [--http ADDR:PORT] [--fault NAME:EVERY,...]
       ekeyd [-f FILE] [-p PIDFILE] [-v]

run    Run in the foreground. Logs go to stderr, to the journal, or to syslog if stderr is /dev/null.
         --config FILE    the configuration (default: /etc/entropykey/ekeyd.toml, else /etc/entropykey/ekeyd.conf)
         --pid-file FILE  write the process id to this file (default: none)
check  Report every mistake in a configuration (default: as above) as FILE:LINE:COLUMN. Exit with 78 if there is one.
       Warn of ports and sockets that the user of systemd's unit may not take or make.
         --sandbox        print all that the sandbox allows with this configuration: files, network, system calls
demo   Run the whole daemon on a software key. Its data is NOT random, so the kernel gets none of it.
         --dir DIR      folder for the sockets (default: $XDG_RUNTIME_DIR/ekeyd-demo, else /tmp/ekeyd-demo-UID)
         --rate N       frames of 32 bytes per second (default: 126, 0: no limit)
         --http A:P     address and port of the page (default: 127.0.0.1:9178, or another port if that is in use)
         --fault F:N    one fault F in every N frames, e.g. flip:3000,stall:30000 (ekey-sim --help lists the faults)

Without a command, as Simtec's ekeyd: run in the background, unless the configuration says Daemonise(false), and log to syslog.
  -f FILE        the configuration (default: as above)
  -p PIDFILE     write the process id to this file (default: /var/run/ekeyd.pid)
  -v             print the version

  -h, --help     print this help
  -V, --version  print the version

Example: ekeyd run --config /etc/entropykey/ekeyd.toml
Started under the name ekeyd-egd-linux, ekey-egd-linux or egd-linux, it takes the flags of that program: ekeyd-egd-linux -h
";

/// A parsed command line.
enum Asked {
    Help,
    Version,
    Run {
        config: Option<PathBuf>,
        pid_file: Option<PathBuf>,
    },
    /// As the original's daemon: in the background, unless its configuration says otherwise.
    Original {
        config: Option<PathBuf>,
        pid_file: Option<PathBuf>,
    },
    Check {
        file: PathBuf,
        sandbox: bool,
    },
    #[cfg(feature = "demo")]
    Demo(crate::program::demo::Options),
}

/// Parses the process's command line and carries it out. Returns the exit code.
pub(crate) fn main() -> ExitCode {
    let line = Parser::from_env();
    if egd_linux::is_called(&line) {
        return egd_linux::main(line);
    }
    match asked(line) {
        Ok(Asked::Help) => {
            say(HELP.trim_end());
            ExitCode::SUCCESS
        }
        Ok(Asked::Version) => {
            say(format_args!("ekeyd {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        Ok(Asked::Run { config, pid_file }) => started(run(config, pid_file)),
        Ok(Asked::Original { config, pid_file }) => started(as_original(config, pid_file)),
        Ok(Asked::Check { file, sandbox }) => check(&file, sandbox),
        #[cfg(feature = "demo")]
        Ok(Asked::Demo(options)) => crate::program::demo::run(options),
        Err(error) => {
            complain(format_args!("ekeyd: {error}; try `ekeyd --help`"));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn asked(mut line: Parser) -> Result<Asked, lexopt::Error> {
    let (mut config, mut pid_file) = (None, None);
    let verb = loop {
        match line.next()? {
            None => return Ok(Asked::Original { config, pid_file }),
            Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Asked::Help),
            Some(Arg::Short('v' | 'V') | Arg::Long("version")) => return Ok(Asked::Version),
            Some(Arg::Short('f')) => config = Some(absolute(&line.value()?)?),
            Some(Arg::Short('p')) => pid_file = Some(absolute(&line.value()?)?),
            // The original ignores further words; here they are a mistake.
            Some(Arg::Value(verb)) if config.is_none() && pid_file.is_none() => break verb,
            Some(other) => return Err(other.unexpected()),
        }
    };
    match verb.to_str() {
        Some("run") => {
            let (mut config, mut pid_file) = (None, None);
            let goes_on = options(&mut line, &mut [("config", &mut config), ("pid-file", &mut pid_file)])?;
            let (config, pid_file) = (config.map(PathBuf::from), pid_file.as_ref().map(absolute).transpose()?);
            Ok(if goes_on { Asked::Run { config, pid_file } } else { Asked::Help })
        }
        Some("check") => check_of(&mut line),
        #[cfg(feature = "demo")]
        Some("demo") => demo(&mut line),
        _ => Err(format!("unknown command `{}`; expected run, check or demo", verb.display()).into()),
    }
}

fn check_of(line: &mut Parser) -> Result<Asked, lexopt::Error> {
    let (mut sandbox, mut file) = (false, None);
    while let Some(arg) = line.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Long("sandbox") => sandbox = true,
            Arg::Value(value) if file.is_none() => file = Some(PathBuf::from(value)),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Asked::Check { file: file.unwrap_or_else(default_config), sandbox })
}

#[cfg(feature = "demo")]
fn demo(line: &mut Parser) -> Result<Asked, lexopt::Error> {
    use lexopt::ValueExt as _;

    let (mut dir, mut rate, mut http, mut faults) = (None, None, None, None);
    let known = &mut [("dir", &mut dir), ("rate", &mut rate), ("http", &mut http), ("fault", &mut faults)];
    let goes_on = options(line, known)?;
    let number = |rate: OsString| rate.parse().map_err(|error| format!("--rate: {error}"));
    let address = |http: OsString| http.parse().map_err(|error| format!("--http: {error}, such as 127.0.0.1:9178"));
    let rate = rate.map(number).transpose()?;
    let http = http.map(address).transpose()?;
    let faults = faults.map(|list: OsString| crate::program::demo::faults(&list)).transpose()?.unwrap_or_default();
    let demo = crate::program::demo::Options { dir: dir.map(PathBuf::from), rate, http, faults };
    Ok(if goes_on { Asked::Demo(demo) } else { Asked::Help })
}

/// Parses a verb's options into `known`. Returns false if they ask for help.
fn options(line: &mut Parser, known: &mut [(&str, &mut Option<OsString>)]) -> Result<bool, lexopt::Error> {
    while let Some(arg) = line.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(false),
            Arg::Long(name) => match known.iter().position(|(option, _)| *option == name) {
                Some(at) if known[at].1.is_some() => return Err(format!("--{name} is given twice").into()),
                Some(at) => *known[at].1 = Some(line.value()?),
                None => return Err(arg.unexpected()),
            },
            other => return Err(other.unexpected()),
        }
    }
    Ok(true)
}

/// Says why the daemon does not run.
#[derive(Debug, thiserror::Error)]
enum NotStarted {
    /// The configuration has a mistake.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The pid file cannot be written.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// The system cannot start the background process.
    #[error("cannot run in the background: {0}; use `ekeyd run`, which stays in the foreground")]
    Background(#[from] std::io::Error),
    /// A socket or a basic service of the kernel is not available.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

/// Reports why the daemon does not run. Returns the exit code.
fn started(outcome: Result<ExitCode, NotStarted>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(NotStarted::Config(error)) => refuse(&error),
        Err(error) => {
            complain(format_args!("ekeyd: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(config: Option<PathBuf>, pid_file: Option<PathBuf>) -> Result<ExitCode, NotStarted> {
    let logs = logs::start_service();
    in_foreground(Plan::load(config.unwrap_or_else(default_config), pid_file)?, &logs)
}

fn in_foreground(plan: Plan, logs: &Logs) -> Result<ExitCode, NotStarted> {
    let pid_file = plan.make_pid_file()?;
    let daemon = match plan.start(logs) {
        Ok(daemon) => daemon,
        // Here the log is where errors are looked for.
        Err(error) => return Ok(background::code_of(Err(error))),
    };
    let pid_file = pid_file.map(|mut file| file.write().map(|()| file)).transpose()?;
    Ok(stay(daemon, pid_file))
}

/// Runs as the original's daemon: in the background, unless its configuration says `Daemonise(false)`.
fn as_original(config: Option<PathBuf>, pid_file: Option<PathBuf>) -> Result<ExitCode, NotStarted> {
    let mut plan = Plan::load(config.unwrap_or_else(default_config), pid_file)?;
    if !plan.config.daemonise {
        return in_foreground(plan, &logs::start_service());
    }
    plan.config.sandbox.pid_file.get_or_insert_with(|| PID_FILE.into());
    let pid_file = plan.make_pid_file()?;
    let side: Background = match background::go()? {
        Side::Foreground(code) => return Ok(code),
        Side::Background(side) => side,
    };
    let logs = logs::start_syslog("ekeyd");
    let daemon = plan.start(&logs)?;
    let pid_file = pid_file.map(|file| side.ready(file)).transpose()?;
    Ok(stay(daemon, pid_file))
}

/// What to run.
struct Plan {
    file: PathBuf,
    config: Config,
    notes: Vec<String>,
}

impl Plan {
    fn load(file: PathBuf, pid_file: Option<PathBuf>) -> Result<Self, ConfigError> {
        let (mut config, notes) = Config::load(&file)?;
        config.sandbox.pid_file = pid_file;
        Ok(Self { file, config, notes: notes.iter().map(ToString::to_string).collect() })
    }

    fn make_pid_file(&self) -> Result<Option<PidFile>, PidFileError> {
        self.config.sandbox.pid_file.clone().map(PidFile::make).transpose()
    }

    fn start(self, logs: &Logs) -> Result<Daemon, DaemonError> {
        confine::from_the_start();
        tracing::info!(version = env!("CARGO_PKG_VERSION"), config = %self.file.display(), "ekeyd starts");
        self.notes.iter().for_each(|note| tracing::info!("{note}"));
        Daemon::start(self.config, Some(self.file), false, || logs.start_writer())
    }
}

fn stay(daemon: Daemon, pid_file: Option<PidFile>) -> ExitCode {
    let ended = daemon.run(None);
    pid_file.into_iter().for_each(PidFile::remove);
    background::code_of(ended)
}

fn check(file: &Path, sandbox: bool) -> ExitCode {
    match Config::load(file) {
        Ok((config, notes)) => {
            notes.iter().for_each(say);
            #[cfg(feature = "tls")]
            if !tls_files_are_usable(&config) {
                return ExitCode::from(EXIT_CONFIG);
            }
            say(format_args!("{}: no mistakes", file.display()));
            service::warnings(&config).iter().for_each(|warning| say(format_args!("warning: {warning}")));
            if sandbox {
                say(confine::table(&config, file).trim_end());
                return ExitCode::SUCCESS;
            }
            confined(&config)
        }
        Err(error) => refuse(&error),
    }
}

/// Reports what is wrong with the files for TLS. Returns whether all of them can be used.
#[cfg(feature = "tls")]
fn tls_files_are_usable(config: &Config) -> bool {
    // [egd] and [egd-client] may name the same files: report each problem once.
    let mut problems = Vec::new();
    for files in config.tls_in_use() {
        let problem = crate::socket::tls::check(files).err().map(|error| error.to_string());
        problems.extend(problem.filter(|problem| !problems.contains(problem)));
    }
    problems.iter().for_each(complain);
    problems.is_empty()
}

/// Enters the daemon's sandbox and prints what is in force then.
fn confined(config: &Config) -> ExitCode {
    confine::from_the_start();
    // The daemon may run as another user, so a device that cannot be opened from here is its to report.
    let feeder = Feeder::open(config).map(|feeder| Box::new(feeder) as Box<dyn Outlet>);
    match Confinement::enter(config, None, &mut Vec::from_iter(feeder)) {
        Ok(mut confinement) => {
            confinement.lock_memory(&[]);
            let status = confinement.status();
            say(format_args!("the sandbox, if you start the daemon from here: {}", status.line()));
            say(format_args!("its rights: {}", status.rights()));
            status.problems.iter().for_each(|problem| say(format_args!("the sandbox is incomplete: {problem}")));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(error);
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

/// Prints the mistakes without the log's prefixes, because editors and scripts read `FILE:LINE:COLUMN:`.
fn refuse(error: &ConfigError) -> ExitCode {
    complain(error);
    ExitCode::from(EXIT_CONFIG)
}

fn default_config() -> PathBuf {
    let [own, original] = CONFIG_FILES.map(PathBuf::from);
    // A dangling link is a mistake to report, not a reason to read the original's file.
    if own.symlink_metadata().is_err() && original.exists() { original } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Asked, String> {
        asked(Parser::from_args(words.iter().copied())).map_err(|error| error.to_string())
    }

    #[test]
    fn each_verb_takes_its_own_options() {
        assert!(matches!(read(&["run"]), Ok(Asked::Run { config: None, pid_file: None })));
        let Ok(Asked::Run { config, pid_file }) = read(&["run", "--config=/x", "--pid-file", "/run/p"]) else {
            panic!("not run")
        };
        assert_eq!((config, pid_file), (Some("/x".into()), Some("/run/p".into())));
        assert!(matches!(read(&["check", "/x"]), Ok(Asked::Check { sandbox: false, .. })));
        let Ok(Asked::Check { file, sandbox: true }) = read(&["check", "/x", "--sandbox"]) else { panic!("not check") };
        assert_eq!(file, Path::new("/x"));
        assert!(matches!(read(&["check", "--sandbox"]), Ok(Asked::Check { sandbox: true, .. })));
        assert!(matches!(read(&["run", "--help"]), Ok(Asked::Help)));
        assert!(matches!(read(&["-V"]), Ok(Asked::Version)));
        #[cfg(feature = "demo")]
        {
            let Ok(Asked::Demo(demo)) = read(&["demo", "--fault", "flip:9,stall:7"]) else { panic!("not demo") };
            assert_eq!(demo.faults.iter().map(ToString::to_string).collect::<Vec<_>>(), ["flip:9", "stall:7"]);
        }
    }

    #[test]
    fn the_originals_flags_are_taken() {
        assert!(matches!(read(&[]), Ok(Asked::Original { config: None, pid_file: None })));
        for words in [&["-f", "/c", "-p", "/p"][..], &["-p/p", "-f/c"]] {
            let Ok(Asked::Original { config, pid_file }) = read(words) else { panic!("{words:?}") };
            assert_eq!((config, pid_file), (Some("/c".into()), Some("/p".into())), "{words:?}");
        }
        assert!(matches!(read(&["-v"]), Ok(Asked::Version)));
        assert!(matches!(read(&["-h"]), Ok(Asked::Help)));
        assert!(read(&["-f", "/c", "run"]).is_err(), "flags of one and the command of the other");
    }

    #[test]
    fn the_manual_page_has_all_verbs_and_options() {
        let page = include_str!("../../../packaging/man/ekeyd.8").replace("\\-", "-");
        let words = HELP.split_whitespace().map(|word| word.trim_matches(['[', ']', ',']));
        for word in words.filter(|word| word.starts_with("--")).chain(["run", "check", "demo"]) {
            assert!(page.contains(word), "packaging/man/ekeyd.8 lacks {word}");
        }
    }

    #[test]
    fn the_error_names_the_wrong_word() {
        for (words, named) in [
            (&["fly"][..], "fly"),
            (&["-q"], "-q"),
            (&["run", "--confg", "/x"], "--confg"),
            (&["run", "/x"], "/x"),
            (&["check", "/x", "/y"], "/y"),
            (&["run", "--config"], "--config"),
            #[cfg(feature = "demo")]
            (&["demo", "--fault", "flip:9,flop:9"], "--fault: `flop`"),
        ] {
            let Err(error) = read(words) else { panic!("{words:?} was accepted") };
            assert!(error.contains(named), "{words:?}: {error}");
        }
    }
}
