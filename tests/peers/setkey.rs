//! The original's `ekey-setkey` gives our software key a new long-term key, which then works with both daemons.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ekey_tests::original::{self, OriginalDaemon};
use ekey_tests::software_key::{
    LONG_TERM_KEY, MASTER_KEY, MASTER_KEY_ON_CARD, SECOND_LONG_TERM_KEY, SERIAL, SoftwareKey,
};
use ekey_tests::{DaemonPlan, KeyPlan, Program, Scratch, blocks};

const BLOCKS: u64 = 2000;

#[test]
fn a_long_term_key_set_by_the_original_serves_both() {
    let (scratch, key, keyring) = set_key(MASTER_KEY_ON_CARD, 0);
    let text = fs::read_to_string(&keyring).expect("the keyring is there");
    assert!(text.contains(SERIAL), "the keyring has no line for the key:\n{text}");
    assert!(!text.contains(LONG_TERM_KEY), "the keyring still has the old long-term key");

    the_original_runs(&scratch, &key, &keyring);
    ours_runs(&scratch, &key, &text);
}

#[test]
fn a_wrong_master_key_changes_neither_keyring_nor_key() {
    // 2: the key itself refused. A malformed master key would be 1.
    let (scratch, key, keyring) = set_key(SECOND_LONG_TERM_KEY, 2);
    let text = fs::read_to_string(&keyring).expect("the keyring is there");
    assert_eq!(text, format!("{SERIAL} {LONG_TERM_KEY}\n"), "a refused rekey touched the keyring");
    the_original_runs(&scratch, &key, &keyring);
}

/// Runs `ekey-setkey` on a key and its keyring with this master key, and checks the exit code.
fn set_key(master_key: &str, code: i32) -> (Scratch, SoftwareKey, PathBuf) {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").master_key(MASTER_KEY);
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("set.keyring", &plan.keyring_line(), 0o600);
    let mut command: Command = original::command("ekey-setkey");
    command.args(["-s", SERIAL, "-m", master_key, "-f"]).arg(&keyring).arg(&key.path);
    let finished = Program::run("ekey-setkey", command, &scratch);
    assert_eq!(finished.code, Some(code), "ekey-setkey: {finished:?}");
    (scratch, key, keyring)
}

fn the_original_runs(scratch: &Scratch, key: &SoftwareKey, keyring: &Path) {
    let mut original = OriginalDaemon::start("original", scratch, key, keyring);
    original.await_blocks(BLOCKS);
    original.program.kill();
    blocks::assert_in_order(&original.output, &key.plain_log);
}

fn ours_runs(scratch: &Scratch, key: &SoftwareKey, keyring: &str) {
    let output = scratch.path("ours.entropy");
    let mut daemon =
        DaemonPlan::default().unknown_key(key).keyring_line(keyring).file(&output, Some(BLOCKS)).start(scratch);
    daemon.await_blocks(&output, BLOCKS);
    blocks::assert_in_order(&output, &key.plain_log);
}
