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

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    fn asked(shell: Asking, line: &[&str]) -> Vec<String> {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let answer = answer(shell, &mut Cli::command(), &words);
        let mut lines: Vec<String> = answer.lines().map(str::to_owned).collect();
        if lines.first().is_some_and(|first| first == "words") {
            lines.remove(0);
        }
        lines
    }

    #[test]
    fn each_verb_has_its_options_and_values() {
        let bash = |line: &[&str]| asked(Asking::Bash, line);
        assert_eq!(bash(&["sta"]), ["status", "stats"]);
        assert_eq!(bash(&["--socket", "/x", "keyring", "re"]), ["remove", "reload"]);
        assert_eq!(bash(&["status", "--j"]), ["--json"]);
        assert_eq!(bash(&["status", "--json", "--j"]), [""; 0]);
        assert_eq!(bash(&["reset", "1", "--level", ""]), ["soft", "reopen", "usb", "port"]);
        assert_eq!(bash(&["reset", "--level", "=", "u"]), ["usb"]);
        assert_eq!(bash(&["reset", "--level", "="]), ["soft", "reopen", "usb", "port"]);
        assert_eq!(asked(Asking::Fish, &["plot", "--range=2"]), ["--range=24h"]);
        assert_eq!(bash(&["capacity", "--clients", "500", ":", "b"]), ["boot", "burst:64/10s"]);
        assert_eq!(asked(Asking::Zsh, &["capacity", "--clients", "500:t"]), ["500\\:tls"]);
        for files in [&["capture", ""][..], &["--socket", ""], &["status", "--socket", "=", "/r"], &["add", ""]] {
            assert_eq!(bash(files), ["files"], "{files:?}");
        }
    }

    #[test]
    fn every_option_of_every_verb_is_offered() {
        fn check(command: &Command, path: &[&str]) {
            let line: Vec<&str> = path.iter().copied().chain(["--"]).collect();
            let seen = asked(Asking::Bash, &line);
            for option in command.get_arguments().filter(|option| !option.is_hide_set()) {
                if let Some(long) = option.get_long() {
                    assert!(seen.contains(&format!("--{long}")), "{path:?} --{long}: {seen:?}");
                }
            }
            for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
                let path: Vec<&str> = path.iter().copied().chain([verb.get_name()]).collect();
                check(verb, &path);
            }
        }
        let mut command = Cli::command();
        command.build();
        check(&command, &[]);
    }
}
