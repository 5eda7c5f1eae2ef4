//! The verbs, one a file. Each asks the daemon, prints, and gives its exit code.

mod attach;
mod config;
mod doctor;
mod keyring;
mod list;
mod rekey;
mod reset;
mod shutdown;
mod stats;
mod status;
mod wait;

use crate::cli::{Cli, ConfigVerb, Verb};
use crate::problem::Problem;

/// Runs the verb of the command line and gives its exit code.
pub(crate) fn run(cli: &Cli) -> Result<u8, Problem> {
    let socket = cli.socket.as_path();
    match &cli.verb {
        Verb::Status(args) => status::run(socket, *args),
        Verb::List(args) => list::run(socket, *args),
        Verb::Stats(args) => stats::run(socket, args),
        Verb::Wait(args) => wait::run(socket, args),
        Verb::Rekey(args) => rekey::run(socket, args),
        Verb::Keyring(verb) => keyring::run(socket, verb),
        Verb::Add(args) => attach::add(socket, args),
        Verb::Remove(args) => attach::remove(socket, args),
        Verb::Config(ConfigVerb::Convert(args)) => config::convert(args),
        Verb::Reset(args) => reset::run(socket, args),
        Verb::Doctor(args) => doctor::run(socket, args),
        Verb::Shutdown => shutdown::run(socket),
    }
}
