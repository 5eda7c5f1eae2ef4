//! The original's `ekeydctl` reads our daemon like its own: same columns, words and statistics.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ekey_tests::original::{self, OriginalDaemon};
use ekey_tests::ports::free_port;
use ekey_tests::serving::started;
use ekey_tests::software_key::{SERIAL, SoftwareKey};
use ekey_tests::{DaemonPlan, Finished, KeyPlan, Program, Scratch, await_until};

#[test]
fn the_lists_have_the_same_columns_and_words() {
    let (original, ours) = ask_both(&["list"], |finished| finished.stdout.contains("Running OK"));
    assert_eq!(original.code, ours.code, "exit codes of `ekeydctl list`");
    let rows = |finished: &Finished| {
        let rows = finished.stdout.lines().map(|line| line.split(',').map(str::to_owned).collect());
        rows.collect::<Vec<Vec<String>>>()
    };
    let (original, ours) = (rows(&original), rows(&ours));
    assert_eq!(ours.first(), original.first(), "the columns");
    assert_eq!(ours.len(), original.len(), "lines: {ours:?} and {original:?}");
    for (column, name) in original[0].iter().enumerate() {
        if name != "Path" {
            assert_eq!(ours[1][column], original[1][column], "column {name}");
        }
    }
}

#[test]
fn the_statistics_have_the_same_names_and_types() {
    let (original, ours) = ask_both(&["stats", SERIAL], |finished| {
        ["KeyTemperatureK=", "KeyVoltage=", "FipsFrameRate=", "KeyRawBadness="]
            .iter()
            .all(|name| finished.stdout.contains(name))
    });
    let names = |finished: &Finished| {
        let names = finished.stdout.lines().filter_map(|line| line.split_once('='));
        names.map(|(name, value)| (name.to_owned(), is_number(value))).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&ours), names(&original), "(name, whether its value is a number)");
}

#[test]
fn over_tcp_the_original_tool_may_only_read() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let port = free_port();
    let mut daemon = DaemonPlan::default().key(&plan, &key).control_tcp(port).start(&scratch);
    daemon.await_state(&scratch, "running");
    let ask = |words: &[&str]| {
        let command = original::ekeydctl_at(&scratch, &format!("TCPControlSocket \"{port}\"\n"), words);
        Program::run("ekeydctl-tcp", command, &scratch)
    };
    let listed = ask(&["list"]);
    assert!(listed.stdout.contains("Running OK"), "{listed:?}");
    let removed = ask(&["remove", SERIAL]);
    assert_eq!(removed.code, Some(4), "{removed:?}");
    assert!(removed.stderr.contains("only root and the daemon's own user"), "{removed:?}");
    assert!(ask(&["list"]).stdout.contains("Running OK"), "the daemon has dropped the key");
}

#[test]
fn the_end_of_its_path_removes_a_key() {
    let (scratch, key, daemon) = started(&KeyPlan::named("key").rate(126), |daemon| daemon);
    let ask = |words: &[&str]| ekeydctl(&scratch, &daemon.control, words);
    let path = key.path.display().to_string();

    assert_eq!(ask(&["remove", "key.key"]).code, Some(0), "removing it");
    let listed = ask(&["list"]).stdout;
    assert!(!listed.contains(&path), "it is still listed: {listed}");
    assert_eq!(ask(&["remove", "key.key"]).code, Some(4), "removing it again");
    assert_eq!(ask(&["add", &path]).code, Some(0), "adding it");
    await_until("the key to run again", || ask(&["list"]).stdout.contains("Running OK").then_some(()));
    let keyring = scratch.path("keyring").display().to_string();
    assert_eq!(ask(&["keyring", &keyring]).code, Some(0), "loading the keyring");
}

#[test]
fn shutdown_ends_the_daemon() {
    let scratch = Scratch::make();
    let mut daemon = DaemonPlan::default().start(&scratch);
    let finished = ekeydctl(&scratch, &daemon.control, &["shutdown"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let ended = daemon.program.wait();
    assert_eq!(ended.code(), Some(0), "how ekeyd ended");
}

#[test]
fn every_command_acts_as_with_the_original_daemon() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("own.keyring", &plan.keyring_line(), 0o600);
    fs::create_dir(scratch.path("keys")).expect("a folder");
    std::os::unix::fs::symlink(&key.path, scratch.path("keys/linked")).expect("a link");

    let mut original = OriginalDaemon::start("original", &scratch, &key, &keyring);
    let of_original = all_commands(&scratch, &original.control, &key);
    original.program.wait();
    let mut ours = DaemonPlan::default().key(&plan, &key).start(&scratch);
    let of_ours = all_commands(&scratch, &ours.control, &key);
    ours.program.wait();
    assert_eq!(of_ours.len(), of_original.len());
    for (seen, expected) in of_ours.iter().zip(&of_original) {
        // The original says OK and has lost its long-term key; ours reports the mistake and keeps the keys it knows.
        if seen.0.ends_with("/missing") && seen.0.starts_with("keyring") {
            assert_eq!((seen.1, expected.1), (Some(4), Some(0)), "{}", seen.0);
            continue;
        }
        assert_eq!(seen, expected, "ours and the original's (command, exit code, standard output)");
    }
}

/// Returns what each command prints and its exit code, from a running key to the daemon's end.
fn all_commands(scratch: &Scratch, control: &Path, key: &SoftwareKey) -> Vec<(String, Option<i32>, String)> {
    let path = |name: &str| scratch.path(name).display().to_string();
    let (device, folder, keyring) = (key.path.display().to_string(), path("keys"), path("own.keyring"));
    let runs = |finished: &Finished| finished.stdout.contains("Running OK");
    ask_until(scratch, control, &["list"], runs);
    let mut outcomes = Vec::new();
    let mut say = |words: &[&str]| {
        let finished = ekeydctl(scratch, control, words);
        outcomes.push((words.join(" "), finished.code, finished.stdout));
    };
    let missing = path("missing");
    for words in [
        &["list"][..],
        &["stats", "no such key"],
        &["stats"],
        &["remove", "no such key"],
        &["remove"],
        &["add"],
        &["addall"],
        &["addall", &missing],
        &["keyring", &keyring],
        &["keyring", &missing],
        &["keyring"],
        &["no-such-command"],
        &[],
        &["remove", SERIAL],
        &["list"],
        &["addall", &folder],
    ] {
        say(words);
    }
    ask_until(scratch, control, &["list"], runs);
    let mut say = |words: &[&str]| {
        let finished = ekeydctl(scratch, control, words);
        outcomes.push((words.join(" "), finished.code, finished.stdout));
    };
    for words in [&["list"][..], &["remove", "keys/linked"], &["add", &device], &["shutdown"]] {
        say(words);
    }
    outcomes
}

/// Returns the answers of the original daemon and of ours to the same question, each once it is `complete`.
fn ask_both(words: &[&str], complete: impl Fn(&Finished) -> bool) -> (Finished, Finished) {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("original").rate(126);
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("original.keyring", &plan.keyring_line(), 0o600);
    let original = OriginalDaemon::start("original", &scratch, &key, &keyring);
    let of_original = ask_until(&scratch, &original.control, words, &complete);

    let (plan, key) = plugged_in(&scratch);
    let ours = DaemonPlan::default().key(&plan, &key).start(&scratch);
    let of_ours = ask_until(&scratch, &ours.control, words, &complete);
    (of_original, of_ours)
}

fn plugged_in(scratch: &Scratch) -> (KeyPlan, SoftwareKey) {
    let plan = KeyPlan::named("ours").rate(126);
    let key = plan.plug_in(scratch);
    (plan, key)
}

fn ask_until(scratch: &Scratch, control: &Path, words: &[&str], complete: impl Fn(&Finished) -> bool) -> Finished {
    let mut last = None;
    let what = format!("a whole answer of {} to {words:?}", control.display());
    await_until(&what, || {
        let finished = ekeydctl(scratch, control, words);
        let whole = complete(&finished);
        if !whole && last.as_ref() != Some(&finished.words()) {
            eprintln!("so far: {}", finished.words());
            last = Some(finished.words());
        }
        whole.then_some(finished)
    })
}

fn ekeydctl(scratch: &Scratch, control: &Path, words: &[&str]) -> Finished {
    Program::run("ekeydctl", original::ekeydctl(scratch, control, words), scratch)
}

fn is_number(value: &str) -> bool {
    value.trim().parse::<f64>().is_ok()
}
