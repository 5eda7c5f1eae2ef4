//! `ekey-ctl`: looks at and steers the Entropy Key daemon over its control socket, and sets long-term keys.
//!
//! A verb is a file in `verbs/`; what it prints is made in `render/`, from plain values, and knows nothing of sockets. `rekey/` is how
//! a key gets a new long-term key, `secret/` how people hand in theirs, `capacity/` a
//! simulation of who gets how much.
#![forbid(unsafe_code)]

mod capacity;
mod cli;
mod daemon;
mod doctor;
mod egd;
#[cfg(test)]
mod man;
mod problem;
mod rekey;
mod render;
mod secret;
mod terminal;
mod verbs;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use cli::Cli;
use problem::Problem;

/// The exit code of sysexits(3) for a command line that makes no sense; clap's own 2 would read as "no key is running".
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to be done where even the message cannot be written.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match verbs::run(&cli) {
        Ok(code) => ExitCode::from(code),
        // `ekey-ctl … | head` has read what it wanted.
        Err(Problem::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "ekey-ctl: {problem}");
            ExitCode::from(problem.exit_code())
        }
    }
}
