//! `completions SHELL`: prints the script that completes this tool's command line. `complete`: answers it.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::cli::{Cli, Complete};
use crate::completion::{Asking, answer};
use crate::problem::Problem;

pub(crate) fn run(shell: Shell) -> Result<u8, Problem> {
    let mut script = Vec::new();
    match shell {
        Shell::Bash => script.extend(Asking::Bash.script().bytes()),
        Shell::Zsh => script.extend(Asking::Zsh.script().bytes()),
        Shell::Fish => script.extend(Asking::Fish.script().bytes()),
        other => generate(other, &mut Cli::command(), "ekey-ctl", &mut script),
    }
    io::stdout().write_all(&script)?;
    Ok(0)
}

pub(crate) fn complete(args: &Complete) -> Result<u8, Problem> {
    io::stdout().write_all(answer(args.shell, &mut Cli::command(), &args.words).as_bytes())?;
    Ok(0)
}
