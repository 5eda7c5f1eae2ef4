//! The command line: `run`, `check`, `demo`.
//!
//! It is read with a small parser and not with the one that the tool and the software key use: that one would be a tenth of
//! the daemon's memory for as long as it runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use super::{egd_linux, logs};
use crate::config::{Config, ConfigError};
use crate::confine::{self, Confinement};
use crate::daemon::Daemon;
use crate::outlet::kernel::{Host, Kernel};
use crate::program::terminal::{complain, say};
use crate::socket::tls;

/// Where the configuration is looked for if none is named: this daemon's own, else the original's.
const CONFIG_FILES: [&str; 2] = ["/etc/entropykey/ekeyd.toml", "/etc/entropykey/ekeyd.conf"];
/// `EX_USAGE` of sysexits(3): the command line is wrong.
const EXIT_USAGE: u8 = 64;
/// `EX_CONFIG` of sysexits(3): the configuration is wrong, and starting again does not help.
const EXIT_CONFIG: u8 = 78;

const HELP: &str = "\
Drives Simtec Entropy Keys: verifies what they send, and gives it to the kernel, to EGD clients and to files.

Usage: ekeyd run [--config FILE]
       ekeyd check FILE
       ekeyd demo [--dir DIR] [--rate N] [--http ADDR:PORT] [--fault NAME:EVERY,...]

run    Run in the foreground; logs go to stderr, to the journal, or to syslog if stderr is /dev/null.
         --config FILE  the configuration; else /etc/entropykey/ekeyd.toml, else /etc/entropykey/ekeyd.conf
check  Name every mistake in a configuration, with file, line and column; exit 78 if there is any.
demo   Show it all working on a key in software. Its data is NOT random, and the kernel is left alone.
         --dir DIR      folder for the sockets; else $XDG_RUNTIME_DIR/ekeyd-demo, else /tmp/ekeyd-demo-UID
         --rate N       frames of 32 bytes a second (126); 0 is as fast as they are taken
         --http A:P     address and port of the page; else 127.0.0.1:9178, or any port if that is taken
         --fault F:N    the key has a fault once in N frames, such as flip:3000,stall:30000 (ekey-sim --help lists them)

  -h, --help     this text
  -V, --version  the version

Example: ekeyd run --config /etc/entropykey/ekeyd.toml
Under the name ekeyd-egd-linux it takes the flags of that program: ekeyd-egd-linux -h
";

/// What the command line asks for.
enum Asked {
    Help,
    Version,
    Run {
        config: Option<PathBuf>,
    },
    Check {
        file: PathBuf,
    },
    #[cfg(feature = "demo")]
    Demo(crate::program::demo::Options),
}

/// Reads the command line and does what it says.
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
        Ok(Asked::Run { config }) => run(config),
        Ok(Asked::Check { file }) => check(&file),
        #[cfg(feature = "demo")]
        Ok(Asked::Demo(options)) => crate::program::demo::run(options),
        Err(error) => {
            complain(format_args!("ekeyd: {error}; `ekeyd --help` tells what there is"));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn asked(mut line: Parser) -> Result<Asked, lexopt::Error> {
    let verb = match line.next()? {
        None => return Err("say what to do: run, check or demo".into()),
        Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Asked::Help),
        Some(Arg::Short('V') | Arg::Long("version")) => return Ok(Asked::Version),
        Some(Arg::Value(verb)) => verb,
        Some(other) => return Err(other.unexpected()),
    };
    match verb.to_str() {
        Some("run") => {
            let mut config = None;
            let others = options(&mut line, &mut [("config", &mut config)], 0)?;
            Ok(others.map_or(Asked::Help, |_| Asked::Run { config: config.map(PathBuf::from) }))
        }
        Some("check") => match options(&mut line, &mut [], 1)? {
            None => Ok(Asked::Help),
            Some(mut files) => {
                let file = files.pop().ok_or("check: name the configuration to check")?;
                Ok(Asked::Check { file: file.into() })
            }
        },
        #[cfg(feature = "demo")]
        Some("demo") => demo(&mut line),
        _ => Err(format!("there is no `{}`: it is run, check or demo", verb.display()).into()),
    }
}

#[cfg(feature = "demo")]
fn demo(line: &mut Parser) -> Result<Asked, lexopt::Error> {
    use lexopt::ValueExt as _;

    let (mut dir, mut rate, mut http, mut faults) = (None, None, None, None);
    let known = &mut [("dir", &mut dir), ("rate", &mut rate), ("http", &mut http), ("fault", &mut faults)];
    let others = options(line, known, 0)?;
    let number = |rate: OsString| rate.parse().map_err(|error| format!("--rate: {error}"));
    let address = |http: OsString| http.parse().map_err(|error| format!("--http: {error}, such as 127.0.0.1:9178"));
    let rate = rate.map(number).transpose()?;
    let http = http.map(address).transpose()?;
    let faults = faults.map(|list: OsString| crate::program::demo::faults(&list)).transpose()?.unwrap_or_default();
    let demo = crate::program::demo::Options { dir: dir.map(PathBuf::from), rate, http, faults };
    Ok(others.map_or(Asked::Help, |_| Asked::Demo(demo)))
}

/// Reads a verb's options into their places and up to `most` other arguments, or `None` if help is asked for.
fn options(
    line: &mut Parser,
    known: &mut [(&str, &mut Option<OsString>)],
    most: usize,
) -> Result<Option<Vec<OsString>>, lexopt::Error> {
    let mut others = Vec::new();
    while let Some(arg) = line.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Long(name) => match known.iter().position(|(option, _)| *option == name) {
                Some(at) if known[at].1.is_some() => return Err(format!("--{name} is there twice").into()),
                Some(at) => *known[at].1 = Some(line.value()?),
                None => return Err(arg.unexpected()),
            },
            Arg::Value(value) if others.len() < most => others.push(value),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(others))
}

fn run(named: Option<PathBuf>) -> ExitCode {
    logs::start_service();
    let file = named.unwrap_or_else(usual_config);
    let (config, notes) = match Config::load(&file) {
        Ok(read) => read,
        Err(error) => return refuse(&error),
    };
    confine::from_the_start();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = %file.display(), "ekeyd starts");
    notes.iter().for_each(|note| tracing::info!("{note}"));
    match Daemon::start(config, Some(file), false).and_then(|daemon| daemon.run(None)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &Path) -> ExitCode {
    match Config::load(file) {
        Ok((config, notes)) => {
            notes.iter().for_each(say);
            // Those who listen and those who fetch may well have the same files.
            let mut told = Vec::new();
            for files in config.tls_in_use() {
                if let Err(error) = tls::check(files).map_err(|error| error.to_string())
                    && !told.contains(&error)
                {
                    complain(&error);
                    told.push(error);
                }
            }
            if !told.is_empty() {
                return ExitCode::from(EXIT_CONFIG);
            }
            say(format_args!("{}: no mistakes", file.display()));
            confined(&config)
        }
        Err(error) => refuse(&error),
    }
}

/// Gives up what the daemon would, started from here, and says what is in force then.
fn confined(config: &Config) -> ExitCode {
    confine::from_the_start();
    // That it cannot be opened is told by the daemon, which may be started by somebody else.
    let mut kernel = config.kernel.enabled.then(|| Kernel::open(&config.kernel, Host::default()).ok()).flatten();
    match Confinement::enter(config, None, kernel.as_mut()) {
        Ok(mut confinement) => {
            confinement.lock_memory();
            let status = confinement.status();
            say(format_args!("started from here it is confined to: {}", status.line()));
            say(format_args!("and has: {}", status.rights()));
            status.problems.iter().for_each(|problem| say(format_args!("not confined in full: {problem}")));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(error);
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

/// Mistakes go to stderr as they are, for editors and scripts that read `FILE:LINE:COLUMN:`.
fn refuse(error: &ConfigError) -> ExitCode {
    complain(error);
    ExitCode::from(EXIT_CONFIG)
}

fn usual_config() -> PathBuf {
    let [own, original] = CONFIG_FILES.map(PathBuf::from);
    // A link that leads nowhere is somebody's mistake, and no reason to read another file.
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
        assert!(matches!(read(&["run"]), Ok(Asked::Run { config: None })));
        let Ok(Asked::Run { config: Some(file) }) = read(&["run", "--config=/x"]) else { panic!("not run") };
        assert_eq!(file, Path::new("/x"));
        assert!(matches!(read(&["check", "/x"]), Ok(Asked::Check { .. })));
        assert!(matches!(read(&["run", "--help"]), Ok(Asked::Help)));
        assert!(matches!(read(&["-V"]), Ok(Asked::Version)));
        #[cfg(feature = "demo")]
        {
            let Ok(Asked::Demo(demo)) = read(&["demo", "--fault", "flip:9,stall:7"]) else { panic!("not demo") };
            assert_eq!(demo.faults.iter().map(ToString::to_string).collect::<Vec<_>>(), ["flip:9", "stall:7"]);
        }
    }

    #[test]
    fn the_manual_page_names_every_verb_and_option_of_the_help() {
        let page = include_str!("../../../packaging/man/ekeyd.8").replace("\\-", "-");
        let words = HELP.split_whitespace().map(|word| word.trim_matches(['[', ']', ',']));
        for word in words.filter(|word| word.starts_with("--")).chain(["run", "check", "demo"]) {
            assert!(page.contains(word), "packaging/man/ekeyd.8 lacks {word}");
        }
    }

    #[test]
    fn a_wrong_command_line_is_refused_with_the_word_that_is_wrong() {
        for (words, named) in [
            (&[][..], "run, check or demo"),
            (&["fly"], "fly"),
            (&["run", "--confg", "/x"], "--confg"),
            (&["run", "/x"], "/x"),
            (&["check"], "name the configuration"),
            (&["check", "/x", "/y"], "/y"),
            (&["run", "--config"], "--config"),
            #[cfg(feature = "demo")]
            (&["demo", "--fault", "flip:9,flop:9"], "--fault: `flop`"),
        ] {
            let Err(error) = read(words) else { panic!("{words:?} was taken") };
            assert!(error.contains(named), "{words:?}: {error}");
        }
    }
}
