//! The command line: `run`, `check`, `demo`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::daemon::Daemon;
use crate::logs;

/// Where the configuration is looked for if none is named: this daemon's own, else the original's.
const CONFIG_FILES: [&str; 2] = ["/etc/entropykey/ekeyd.toml", "/etc/entropykey/ekeyd.conf"];
/// `EX_CONFIG` of sysexits(3): the configuration is wrong, and starting again does not help.
const EXIT_CONFIG: u8 = 78;

/// Drives Simtec Entropy Keys: verifies what they send, and gives it to the kernel, to EGD clients and to files.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Example: ekeyd run --config /etc/entropykey/ekeyd.toml"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run in the foreground; logs go to stderr, or to the journal.
    Run {
        /// The configuration; else /etc/entropykey/ekeyd.toml, else /etc/entropykey/ekeyd.conf.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Name every mistake in a configuration, with file, line and column; exit 78 if there is any.
    Check {
        /// The configuration.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show it all working on a key in software. Its data is NOT random, and the kernel is left alone.
    #[cfg(feature = "demo")]
    Demo(crate::demo::Options),
}

/// Reads the command line and does what it says.
pub(crate) fn main() -> ExitCode {
    match Cli::parse().verb {
        Verb::Run { config } => run(config),
        Verb::Check { file } => check(&file),
        #[cfg(feature = "demo")]
        Verb::Demo(options) => crate::demo::run(&options),
    }
}

fn run(named: Option<PathBuf>) -> ExitCode {
    logs::start(tracing::Level::INFO);
    let file = named.unwrap_or_else(usual_config);
    let config = match Config::load(&file) {
        Ok(config) => config,
        Err(error) => return refuse(&error),
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = %file.display(), "ekeyd starts");
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
        Ok(_) => {
            println!("{}: no mistakes", file.display());
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

/// Mistakes go to stderr as they are, for editors and scripts that read `FILE:LINE:COLUMN:`.
fn refuse(error: &ConfigError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(EXIT_CONFIG)
}

fn usual_config() -> PathBuf {
    let [own, original] = CONFIG_FILES.map(PathBuf::from);
    if !own.exists() && original.exists() { original } else { own }
}
