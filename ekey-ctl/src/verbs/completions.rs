//! `completions SHELL`: prints the script that completes this tool's command line.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::problem::Problem;

pub(crate) fn run(shell: Shell) -> Result<u8, Problem> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "ekey-ctl", &mut script);
    io::stdout().write_all(&script)?;
    Ok(0)
}
