//! The original's tools and ours set long-term keys on one software key in turn, and each keyring works with both
//! daemons.

use std::fs;
use std::path::Path;
use std::process::Command;

use ekey_tests::original::{self, OriginalDaemon};
use ekey_tests::software_key::{
    MASTER_KEY, MASTER_KEY_ON_CARD, SECOND_LONG_TERM_KEY, SECOND_SERIAL, SERIAL, SoftwareKey,
};
use ekey_tests::{DaemonPlan, Finished, KeyPlan, Program, Scratch, binaries, blocks};

const BLOCKS: u64 = 100;
const OTHERS: &str = "# a comment\nAAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

#[test]
fn both_daemons_accept_keys_that_either_tool_set() {
    let scratch = Scratch::make();
    // At a real key's rate: a faster key floods ekey-setkey's wait for the answer.
    let plan = KeyPlan::named("key").master_key(MASTER_KEY).rate(126);
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("turns.keyring", &format!("{OTHERS}{}", plan.keyring_line()), 0o600);
    let mut before = fs::read_to_string(&keyring).expect("it exists");
    for turn in 0..4 {
        let (name, finished) = if turn % 2 == 0 {
            ("ekey-ctl rekey", rekey(&scratch, &key, &keyring))
        } else {
            ("ekey-setkey", setkey(&scratch, &key, &keyring))
        };
        assert_eq!(finished.code, Some(0), "{name}, turn {turn}: {finished:?}");
        let text = fs::read_to_string(&keyring).expect("the keyring is there");
        assert_ne!(text, before, "{name}, turn {turn}, left the keyring as it was");
        assert!(text.contains(OTHERS.lines().nth(1).expect("two lines")), "another key's line is gone:\n{text}");
        before = text;
        the_original_runs(&scratch, &key, &keyring, turn);
        ours_runs(&scratch, &key, &before, turn);
    }
    assert!(before.contains(SERIAL), "the key is in the keyring");
}

#[test]
fn the_originals_rekey_script_works_with_our_daemon() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").master_key(MASTER_KEY).rate(126);
    let other = KeyPlan::named("other").identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY).rate(126);
    let (key, other_key) = (plan.plug_in(&scratch), other.plug_in(&scratch));
    let mut daemon = DaemonPlan::default().key(&plan, &key).key(&other, &other_key).start(&scratch);
    daemon.await_state(&scratch, "running");
    let before = fs::read_to_string(scratch.path("keyring")).expect("it exists");

    let tools = tools(&scratch, &daemon.control);
    let mut command = Command::new("sh");
    command
        .arg(original::script("ekey-rekey"))
        .arg(format!("--device={}", key.path.display()))
        .args([SERIAL, MASTER_KEY_ON_CARD])
        .env("KEYRING", scratch.path("keyring"))
        .env("PATH", format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default()));
    let finished = Program::run("ekey-rekey", command, &scratch);

    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(!finished.words().contains("Could not detach"), "{finished:?}");
    let after = fs::read_to_string(scratch.path("keyring")).expect("it exists");
    assert_ne!(after, before, "the keyring is as before: {finished:?}");
    let path = key.path.display().to_string();
    daemon.program.await_while_running("the key to run with its new long-term key", || {
        let status = daemon_status(&scratch, &daemon.control);
        let key = status.key_at(&path)?;
        (key.state() == "running").then_some(())
    });
}

fn daemon_status(scratch: &Scratch, control: &Path) -> ekey_tests::Status {
    let mut command = binaries::command("ekey-ctl");
    command.args(["status", "--json", "--socket"]).arg(control);
    ekey_tests::Status::of(&Program::run("ekey-ctl-status", command, scratch))
}

/// Makes a folder with the original `ekeydctl` and `ekey-setkey` as the script expects them in its PATH.
fn tools(scratch: &Scratch, control: &Path) -> std::path::PathBuf {
    let folder = scratch.path("tools");
    fs::create_dir(&folder).expect("a folder");
    for (name, command) in
        [("ekeydctl", original::ekeydctl(scratch, control, &[])), ("ekey-setkey", original::command("ekey-setkey"))]
    {
        let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"));
        let variables = command.get_envs().filter_map(|(name, value)| Some((name.to_string_lossy(), value?)));
        let variables: Vec<String> = variables.map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
        let text = format!("#!/bin/sh\nexec env {} {} \"$@\"\n", variables.join(" "), words.join(" "));
        let _ = scratch.write(&format!("tools/{name}"), &text, 0o755);
    }
    folder
}

fn rekey(scratch: &Scratch, key: &SoftwareKey, keyring: &Path) -> Finished {
    let card = scratch.write("card", &format!("{MASTER_KEY_ON_CARD}\n"), 0o600);
    let mut command = binaries::command("ekey-ctl");
    command.args(["rekey", SERIAL, "--device"]).arg(&key.path).arg("--keyring").arg(keyring);
    command.arg("--master-file").arg(card).arg("--socket").arg(scratch.path("no-daemon.sock"));
    Program::run("ekey-ctl-rekey", command, scratch)
}

fn setkey(scratch: &Scratch, key: &SoftwareKey, keyring: &Path) -> Finished {
    let mut command = original::command("ekey-setkey");
    command.args(["-s", SERIAL, "-m", MASTER_KEY_ON_CARD, "-f"]).arg(keyring).arg(&key.path);
    Program::run("ekey-setkey", command, scratch)
}

fn the_original_runs(scratch: &Scratch, key: &SoftwareKey, keyring: &Path, turn: u32) {
    let mut original = OriginalDaemon::start(&format!("original-{turn}"), scratch, key, keyring);
    original.await_blocks(BLOCKS);
    original.program.kill();
    blocks::assert_in_order(&original.output, &key.plain_log);
}

fn ours_runs(scratch: &Scratch, key: &SoftwareKey, keyring: &str, turn: u32) {
    let output = scratch.path(&format!("ours-{turn}.entropy"));
    let plan = DaemonPlan::default().unknown_key(key).keyring_line(keyring).file(&output, Some(BLOCKS));
    let mut daemon = plan.start(scratch);
    daemon.await_blocks(&output, BLOCKS);
    blocks::assert_in_order(&output, &key.plain_log);
}
