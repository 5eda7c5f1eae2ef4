//! The verbs, one per file. Each returns its exit code.

mod add;
mod capacity;
mod capture;
mod completions;
mod config;
mod doctor;
mod forget;
mod keyring;
mod list;
mod plot;
mod rekey;
mod remove;
mod reset;
mod shutdown;
mod stats;
mod status;
mod test;
mod top;
mod wait;
mod watch;

use crate::cli::{Cli, ConfigVerb, Verb};
use crate::daemon;
use crate::privacy;
use crate::problem::Problem;

/// Runs the verb of the command line. Returns its exit code.
pub(crate) fn run(cli: &Cli) -> Result<u8, Problem> {
    let socket = match cli.verb {
        // They change files, and never those of a demonstration that only happens to run.
        Verb::Rekey(_) | Verb::Keyring(_) => cli.socket.clone(),
        _ => daemon::socket(&cli.socket),
    };
    let socket = socket.as_path();
    if matches!(cli.verb, Verb::Rekey(_) | Verb::Keyring(_)) {
        privacy::lock_memory();
    }
    match &cli.verb {
        Verb::Status(args) => status::run(socket, *args),
        Verb::List(args) => list::run(socket, *args),
        Verb::Stats(args) => stats::run(socket, args),
        Verb::Wait(args) => wait::run(socket, args),
        Verb::Rekey(args) => rekey::run(socket, args),
        Verb::Keyring(verb) => keyring::run(socket, verb),
        Verb::Add(args) => add::run(socket, args),
        Verb::Remove(args) => remove::run(socket, args),
        Verb::Config(ConfigVerb::Convert(args)) => config::convert(args),
        Verb::Reset(args) => reset::run(socket, args),
        Verb::Doctor(args) => doctor::run(socket, args),
        Verb::Capture(args) => capture::run(socket, args),
        Verb::Test(args) => test::run(socket, args),
        Verb::Top => top::run(socket),
        Verb::Watch(args) => watch::run(socket, args),
        Verb::Plot(args) => plot::run(socket, args),
        Verb::Capacity(args) => capacity::run(socket, args),
        Verb::Completions { shell } => completions::run(*shell),
        Verb::Complete(args) => completions::complete(args),
        Verb::Shutdown(args) => shutdown::run(socket, *args),
        Verb::Forget(args) => forget::run(socket, *args),
    }
}
