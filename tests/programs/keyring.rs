//! `ekey-ctl keyring`: lists serials, never secrets; writes the whole file or nothing; informs the daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ekey_tests::scene::Scene;
use ekey_tests::software_key::{LONG_TERM_KEY, SECOND_LONG_TERM_KEY, SECOND_SERIAL, SERIAL};
use ekey_tests::{DaemonPlan, Finished, KeyPlan, Program, Scratch, binaries};

#[test]
fn the_list_has_the_serial_numbers_and_no_secret() {
    let scratch = Scratch::make();
    let text = format!("# head\n{SERIAL} {LONG_TERM_KEY}\n{SECOND_SERIAL} {SECOND_LONG_TERM_KEY}\n");
    let keyring = scratch.write("keyring", &text, 0o600);
    let listed = ctl(&scratch, &["keyring", "list"], &keyring);
    assert_eq!((listed.code, listed.stdout), (Some(0), format!("{SERIAL}\n{SECOND_SERIAL}\n")));
    let json = ctl(&scratch, &["keyring", "list", "--json"], &keyring);
    assert!(json.stdout.contains(SERIAL) && json.stdout.contains(SECOND_SERIAL), "{json:?}");
    for secret in [LONG_TERM_KEY, SECOND_LONG_TERM_KEY] {
        assert!(!json.words().contains(secret), "a secret is shown");
    }
}

#[test]
fn adding_and_removing_a_key_keeps_the_rest() {
    let scratch = Scratch::make();
    let before = format!("# head\n{SERIAL}\t{LONG_TERM_KEY}\n# tail\n");
    let keyring = scratch.write("keyring", &before, 0o600);
    let file = scratch.write("ltk", SECOND_LONG_TERM_KEY, 0o600).display().to_string();
    let added = ctl(&scratch, &["keyring", "add", SECOND_SERIAL, "--file", &file], &keyring);
    assert_eq!(added.code, Some(0), "{added:?}");
    let text = fs::read_to_string(&keyring).expect("it exists");
    assert_eq!(text, format!("{before}{SECOND_SERIAL} {SECOND_LONG_TERM_KEY}\n"));
    assert_eq!(fs::metadata(&keyring).expect("it exists").permissions().mode() & 0o777, 0o600);

    let removed = ctl(&scratch, &["keyring", "remove", SECOND_SERIAL], &keyring);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_eq!(fs::read_to_string(&keyring).expect("it exists"), before);
    let again = ctl(&scratch, &["keyring", "remove", SECOND_SERIAL], &keyring);
    assert_eq!(again.code, Some(4), "{again:?}");
    assert!(!added.words().contains(SECOND_LONG_TERM_KEY), "a secret is shown: {added:?}");
}

#[test]
fn an_added_key_runs_without_a_restart() {
    let Scene { scratch, plan, key: _key, mut daemon } = unknown();
    let file = scratch.write("ltk", &plan.keyring_line(), 0o600).display().to_string();
    // Without --keyring: the one that the daemon reads.
    let added = daemon.ctl(&scratch, &["keyring", "add", SERIAL, "--file", &file]);
    assert_eq!(added.code, Some(0), "{added:?}");
    daemon.await_state(&scratch, "running");
}

#[test]
fn reload_reads_a_keyring_changed_by_hand() {
    let Scene { scratch, plan, key: _key, mut daemon } = unknown();
    let _ = scratch.write("keyring", &plan.keyring_line(), 0o600);
    let reloaded = daemon.ctl(&scratch, &["keyring", "reload", "--json"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    daemon.await_state(&scratch, "running");
}

#[test]
fn the_tool_adds_and_removes_keys_of_the_daemon() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().keyring_line(&plan.keyring_line()).start(&scratch);
    let path = key.path.display().to_string();
    let added = daemon.ctl(&scratch, &["add", &path, SERIAL, "--json"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    assert!(added.stdout.contains("\"number\":1"), "{added:?}");
    daemon.await_state(&scratch, "running");
    let removed = daemon.ctl(&scratch, &["remove", SERIAL]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_eq!(daemon.status(&scratch).keys(), 0);
    let again = daemon.ctl(&scratch, &["remove", SERIAL]);
    assert_eq!(again.code, Some(4), "{again:?}");
}

/// Starts a daemon on a key that its keyring lacks.
fn unknown() -> Scene {
    let mut scene = Scene::with_keyring(KeyPlan::named("key").rate(126), "");
    scene.daemon.await_state(&scene.scratch, "serial-unknown");
    scene
}

fn ctl(scratch: &Scratch, words: &[&str], keyring: &Path) -> Finished {
    let mut command = binaries::command("ekey-ctl");
    command.args(words).arg("--keyring").arg(keyring).arg("--socket").arg(scratch.path("no-daemon.sock"));
    Program::run("ekey-ctl", command, scratch)
}
