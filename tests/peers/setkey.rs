//! The original's `ekey-setkey` gives our software key a new long-term key, which then works with both daemons.

use std::fs;
use std::path::Path;
use std::process::Command;

use ekey_tests::original::{self, OriginalDaemon};
use ekey_tests::software_key::{
    LONG_TERM_KEY, MASTER_KEY, MASTER_KEY_ON_CARD, SECOND_LONG_TERM_KEY, SERIAL, SoftwareKey,
};
use ekey_tests::{DaemonPlan, Finished, KeyPlan, Program, Scratch, blocks};

const BLOCKS: u64 = 2000;

#[test]
fn a_long_term_key_set_by_the_original_serves_both() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").master_key(MASTER_KEY);
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("new.keyring", &plan.keyring_line(), 0o600);

    let finished = set_key(&scratch, &key, MASTER_KEY_ON_CARD, &keyring);
    assert_eq!(finished.code, Some(0), "ekey-setkey: {finished:?}");
    let text = fs::read_to_string(&keyring).expect("the keyring is there");
    assert!(text.contains(SERIAL), "the keyring has no line for the key:\n{text}");
    assert!(!text.contains(LONG_TERM_KEY), "the keyring still has the old long-term key");

    the_original_runs(&scratch, &key, &keyring);
    ours_runs(&scratch, &key, &text);
}

#[test]
fn a_wrong_master_key_changes_neither_keyring_nor_key() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").master_key(MASTER_KEY);
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("old.keyring", &plan.keyring_line(), 0o600);

    let finished = set_key(&scratch, &key, SECOND_LONG_TERM_KEY, &keyring);
    // 2: the key itself refused. A malformed master key would be 1.
    assert_eq!(finished.code, Some(2), "ekey-setkey: {finished:?}");
    let text = fs::read_to_string(&keyring).expect("the keyring is there");
    assert_eq!(text, plan.keyring_line(), "a refused rekey touched the keyring");

    the_original_runs(&scratch, &key, &keyring);
}

fn set_key(scratch: &Scratch, key: &SoftwareKey, master_key: &str, keyring: &Path) -> Finished {
    let mut command: Command = original::command("ekey-setkey");
    command.args(["-s", SERIAL, "-m", master_key, "-f"]).arg(keyring).arg(&key.path);
    Program::run("ekey-setkey", command, scratch)
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
