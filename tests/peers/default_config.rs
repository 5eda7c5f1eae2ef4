//! The packaged configuration of the original: the test enables each commented option alone; our daemon runs with it,
//! or refuses it and names its line.

use std::fs;
use std::os::unix::net::UnixStream;

use ekey_tests::ports::free_port;
use ekey_tests::{Program, Scratch, await_until, binaries, original};

/// EX_CONFIG of sysexits(3).
const CONFIGURATION_ERROR: Option<i32> = Some(78);

#[test]
fn the_packaged_configuration_passes_unchanged() {
    let scratch = Scratch::make();
    let packaged = original::file("etc/entropykey/ekeyd.conf");
    let mut command = binaries::command("ekeyd");
    command.arg("check").arg(&packaged);
    let finished = Program::run("ekeyd-check", command, &scratch);
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

#[test]
fn every_option_of_the_original_runs_or_is_refused() {
    let packaged = fs::read_to_string(original::file("etc/entropykey/ekeyd.conf")).expect("it is text");
    let options: Vec<(usize, &str)> = packaged.lines().enumerate().filter_map(option).collect();
    assert!(options.len() >= 8, "the packaged file has more options that are commented out than {options:?}");
    let mut refused = Vec::new();
    for (index, option) in &options {
        let mut lines: Vec<&str> = packaged.lines().collect();
        lines[*index] = option;
        if !runs(&lines.join("\n"), index + 1) {
            refused.push(option.split(['(', ' ']).next().unwrap_or_default());
        }
    }
    // A group that this machine may not have.
    let expected = ["EGDUnixSocket"];
    assert!(refused.iter().all(|name| expected.contains(name)), "refused: {refused:?}");
    let groups = refused.iter().filter(|name| **name == "EGDUnixSocket").count();
    assert!(groups <= 1, "the option that names a group may be refused, the other not: {refused:?}");
}

/// Returns line number and text of an option that is commented out.
fn option((index, line): (usize, &str)) -> Option<(usize, &str)> {
    let option = line.strip_prefix("-- ")?.trim_end();
    let name: String = option.chars().take_while(char::is_ascii_alphanumeric).collect();
    let rest = &option[name.len()..];
    let is_call = rest.starts_with('(') && rest.ends_with(')') || rest.starts_with(" \"") && rest.ends_with('"');
    (is_call && name.chars().next()?.is_ascii_uppercase()).then_some((index, option))
}

/// Returns whether the daemon runs with this text until it is stopped; otherwise checks that it named line `line`.
fn runs(text: &str, line: usize) -> bool {
    let scratch = Scratch::make();
    // The same, without the machine's own folders and ports.
    let text =
        text.replace("\"/", &format!("\"{}/", scratch.folder().display())).replace("8888", &free_port().to_string());
    for folder in ["var/run", "etc/entropykey", "tmp"] {
        fs::create_dir_all(scratch.path(folder)).expect("a folder");
    }
    let _ = scratch.write("etc/entropykey/keyring", "", 0o600);
    // This test leaves the machine's kernel alone.
    let text = text.replace("\nSetOutputToKernel(7)", "\n");
    let path = scratch.write("ekeyd.conf", &text, 0o644);
    let mut command = binaries::command("ekeyd");
    command.args(["run", "--config"]).arg(&path);
    let mut program = Program::spawn("ekeyd", command, &scratch);
    let control = scratch.path("var/run/ekeyd.sock");
    let answered = await_until("ekeyd to run or to refuse", || match program.ended() {
        Some(ended) => Some(Err(ended)),
        None => UnixStream::connect(&control).ok().map(Ok),
    });
    if let Err(ended) = answered {
        let place = format!("{}:{line}:", path.display());
        assert_eq!(ended.code(), CONFIGURATION_ERROR, "of:\n{text}\n{}", program.stderr());
        assert!(program.stderr().contains(&place), "{place} is not in {}", program.stderr());
        return false;
    }
    assert_eq!(program.ended(), None, "it listens");
    true
}
