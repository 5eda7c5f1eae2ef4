//! What README tells people to type is there: each program, verb and flag of its examples.

use std::fs;
use std::path::Path;
use std::process::Command;

use ekey_tests::{binaries, tree};

const PROGRAMS: [&str; 3] = ["ekeyd", "ekey-ctl", "ekey-sim"];

#[test]
fn every_command_of_the_readme_is_known_to_its_program() {
    let commands = readme_commands();
    assert!(!commands.is_empty(), "README.md shows no command of {PROGRAMS:?} in a fenced block");
    for words in commands {
        check(&words);
    }
}

#[test]
fn every_script_that_the_readme_names_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let readme = readme();
    assert!(readme.contains("tests/run"), "README.md does not name tests/run");
    for script in ["tests/run", ".ci/run"] {
        let path = tree::root().join(script);
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert!(mode & 0o100 != 0, "{script} is not executable");
    }
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    for link in readme().split("](").skip(1) {
        let target = link.split([')', '#']).next().unwrap_or_default();
        if !target.is_empty() && !target.contains("://") {
            let path = tree::root().join(target);
            assert!(path.exists(), "README.md links to {target}, which is not there");
        }
    }
}

/// The lines of fenced blocks that run one of our programs, in words, from the program's name on.
fn readme_commands() -> Vec<Vec<String>> {
    let mut fenced = false;
    let mut commands = Vec::new();
    for line in readme().lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            let line = line.split(" #").next().unwrap_or_default();
            for part in line.split(['|', ';', '&']) {
                let words = part
                    .split_whitespace()
                    .skip_while(|word| ["$", "#", "sudo", "exec"].contains(word))
                    .map(str::to_owned)
                    .collect::<Vec<_>>();
                if words.first().is_some_and(|word| PROGRAMS.contains(&program(word))) {
                    commands.push(words);
                }
            }
        }
    }
    commands
}

fn check(words: &[String]) {
    let name = program(&words[0]);
    let verbs = words[1..]
        .iter()
        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-'))
        .take(if name == "ekey-sim" { 0 } else { 1 })
        .collect::<Vec<_>>();
    let output =
        Command::new(binaries::built(name)).args(&verbs).arg("--help").output().expect("the program can be run");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let shown = words.join(" ");
    assert!(
        output.status.success(),
        "README.md shows `{shown}`, but `{name} {verbs:?} --help` fails: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    for flag in words[1..].iter().filter(|word| word.starts_with("--")) {
        let flag = flag.split('=').next().unwrap_or_default();
        assert!(
            flag == "--help" || flag == "--version" || help.contains(flag),
            "README.md shows `{shown}`, but the help of {name} {verbs:?} has no {flag}:\n{help}"
        );
    }
}

fn program(word: &str) -> &str {
    Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn readme() -> String {
    fs::read_to_string(tree::root().join("README.md")).expect("README.md is at the root")
}
