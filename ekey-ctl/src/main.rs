//! `ekey-ctl`: shows and controls the Entropy Key daemon over its control socket, and sets long-term keys.
//!
//! `verbs/` has one file per verb. `render/` makes what they print from plain values, without sockets. `rekey/` sets a long-term key,
//! `secret/` reads a key that a person enters, `doctor/` checks a machine, `capacity/` simulates who gets how much.
#![forbid(unsafe_code)]

mod capacity;
mod cli;
mod completion;
mod configured;
mod daemon;
mod doctor;
mod egd;
mod host;
#[cfg(test)]
mod man;
mod new_file;
mod privacy;
mod problem;
mod rekey;
mod render;
mod secret;
mod signals;
mod terminal;
mod trusted;
mod verbs;
mod which_key;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use cli::Cli;
use problem::Problem;

/// The exit code of sysexits(3) for a wrong command line. clap's own 2 would mean "no key runs".
const USAGE: u8 = 64;

fn main() -> ExitCode {
    privacy::from_the_start();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // If even the message cannot be written, nothing is left to do.
            let _ = error.print();
            if let Some(meant) = cli::meant(&error) {
                let _ = writeln!(io::stderr(), "Did you mean `{meant}`?");
            }
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match verbs::run(&cli) {
        Ok(code) => ExitCode::from(code),
        // The reader has enough, as in `ekey-ctl … | head`.
        Err(Problem::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "ekey-ctl: {problem}");
            ExitCode::from(problem.exit_code())
        }
    }
}
