//! The rights that the daemon drops, as the kernel reports them: `/proc/PID/task/*/status`, `/proc/PID/limits`, and by
//! trying.

use std::fs;

use ekey_tests::control::ControlClient;
use ekey_tests::serving::writing;
use ekey_tests::software_key::{LONG_TERM_KEY, SERIAL};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, await_until, blocks};
use serde_json::{Value, json};

/// CAP_DAC_OVERRIDE of capabilities(7), which root keeps if it has no other user to become.
const DAC_OVERRIDE: u64 = 1 << 1;

#[test]
fn every_thread_is_filtered_and_gains_no_right() {
    let ((scratch, _key, daemon), output) = writing(&KeyPlan::named("key").rate(0), None, DaemonPlan::egd);
    await_until("100 blocks in the file", || (blocks::blocks_in(&output) >= 100).then_some(()));
    let threads = threads(&daemon);
    assert!(threads.len() >= 3, "event loop, key and file: {}", threads.len());
    for thread in &threads {
        assert_eq!(field(thread, "NoNewPrivs"), "1", "{thread}");
        assert_eq!(field(thread, "Seccomp"), "2", "{thread}");
        let held = u64::from_str_radix(field(thread, "CapEff"), 16).expect("a number");
        assert_eq!(held & !DAC_OVERRIDE, 0, "{thread}");
        assert_eq!(field(thread, "CapAmb"), "0000000000000000", "{thread}");
    }
    assert_eq!(limit(&daemon, "Max core file size"), "0");

    // The daemon's own report agrees with the kernel's.
    let said = confinement(&daemon, &scratch);
    assert_eq!(said["filter"], true, "{said}");
    assert_eq!(said["no_new_privs"], true, "{said}");
    assert_eq!(said["core_dumps"], false, "{said}");
    assert_eq!(said["threads"], threads.len(), "{said}");
    let locked: u64 = field(&threads[0], "VmLck").trim_end_matches(" kB").trim().parse().expect("a number");
    assert_eq!(said["locked_bytes"], locked * 1024, "{said}");
    assert!(locked > 0 || limit(&daemon, "Max locked memory") == "0", "no memory is locked: {said}");
}

#[test]
fn the_sandbox_denies_files_that_appear_on_reload() {
    let (scratch, elsewhere) = (Scratch::make(), Scratch::make());
    let daemon = DaemonPlan::default().egd().start(&scratch);
    let said = confinement(&daemon, &scratch);
    if said["landlock"] == 0 {
        let why = said["problems"].to_string();
        assert!(why.contains("landlock"), "its files are not confined, and it does not say why: {said}");
        return println!("this kernel has no landlock: {why}");
    }
    let keyring = elsewhere.write("keyring", "", 0o600);
    let mut control = ControlClient::connect(&daemon.control).expect("the control socket");
    let answer = control.say(&format!("Keyring \"{}\"", keyring.display())).expect("an answer");
    assert!(answer.verdict.contains("[sandbox]") && answer.verdict.contains("restart"), "{answer:?}");
    let answer = control.say(&format!("AddEntropyKeys \"{}\"", elsewhere.folder().display())).expect("an answer");
    assert!(answer.verdict.starts_with("ERROR") && answer.verdict.contains("[keys] paths"), "{answer:?}");
    // A file in a known folder may come and go.
    let keyring = scratch.write("another", "", 0o600);
    let answer = control.say(&format!("Keyring \"{}\"", keyring.display())).expect("an answer");
    assert!(answer.ok(), "{answer:?}");
}

#[test]
fn a_sandbox_that_is_off_says_so() {
    let (scratch, elsewhere) = (Scratch::make(), Scratch::make());
    let daemon = DaemonPlan::default().egd().extra("[sandbox]\nenabled = false\n").start(&scratch);
    let said = confinement(&daemon, &scratch);
    assert_eq!((said["filter"].as_bool(), said["landlock"].as_u64()), (Some(false), Some(0)), "{said}");
    for thread in threads(&daemon) {
        assert_eq!((field(&thread, "Seccomp"), field(&thread, "NoNewPrivs")), ("0", "1"), "{thread}");
    }
    let keyring = elsewhere.write("keyring", "", 0o600);
    let mut control = ControlClient::connect(&daemon.control).expect("the control socket");
    let answer = control.say(&format!("Keyring \"{}\"", keyring.display())).expect("an answer");
    assert!(answer.ok(), "{answer:?}");
}

#[test]
fn an_unknown_user_stops_the_start() {
    if !nix::unistd::geteuid().is_root() {
        return println!("only root can become another user");
    }
    let scratch = Scratch::make();
    let plan = DaemonPlan::default().egd().extra("[sandbox]\nuser = \"nobody-has-this\"\n");
    let mut daemon = plan.spawn(&scratch);
    let status = daemon.program.wait();
    assert_eq!(status.code(), Some(1), "{}", daemon.program.stderr());
    assert!(daemon.program.stderr().contains("nobody-has-this"), "{}", daemon.program.stderr());
}

#[test]
fn a_large_pool_and_a_new_keyring_are_locked() {
    const POOL: u32 = 4 * 1024 * 1024;
    const LINES: u64 = 4000;
    let scratch = Scratch::make();
    let daemon = DaemonPlan::default().egd().pool(POOL).start(&scratch);
    let may_lock = limit(&daemon, "Max locked memory");
    if may_lock.parse().is_ok_and(|bytes: u64| bytes < u64::from(POOL) * 2) {
        return println!("this user may lock only {may_lock} bytes");
    }
    let locked = |what: &str| -> u64 {
        // The daemon answers once it has locked its memory.
        let said = confinement(&daemon, &scratch);
        let thread = threads(&daemon).remove(0);
        let locked: u64 = field(&thread, "VmLck").trim_end_matches(" kB").trim().parse().expect("a number");
        assert_eq!((&said["locked_bytes"], &said["problems"]), (&(locked * 1024).into(), &json!([])), "{what}: {said}");
        locked * 1024
    };
    let before = locked("at the start");
    assert!(before >= u64::from(POOL), "{before} bytes are locked, and the pool has {POOL}");
    let line = |number: u64| format!("{}{number:05} {LONG_TERM_KEY}\n", &SERIAL[..11]);
    let text: String = (0..LINES).map(line).collect();
    let _ = scratch.write("keyring", &text, 0o600);
    let reloaded = daemon.ctl(&scratch, &["keyring", "reload"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    let after = locked("after reading the keyring");
    assert!(after - before >= text.len() as u64, "{} more bytes are locked for {}", after - before, text.len());
}

#[test]
fn memory_that_cannot_be_locked_is_named() {
    let scratch = Scratch::make();
    let daemon = DaemonPlan::default().egd().pool(64 * 1024 * 1024).start(&scratch);
    let (said, may_lock) = (confinement(&daemon, &scratch), limit(&daemon, "Max locked memory"));
    let is_named = said["problems"].to_string().contains("limit of locked memory");
    let is_too_low = may_lock.parse().is_ok_and(|bytes: u64| bytes < 64 * 1024 * 1024);
    assert_eq!(is_named, is_too_low, "with a limit of {may_lock}: {said}");
}

/// Returns the soft limit of this name, in bytes or `unlimited`.
fn limit(daemon: &Daemon, name: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.program.id())).expect("it runs");
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("a limit");
    line.split_whitespace().next().expect("its value").to_owned()
}

fn threads(daemon: &Daemon) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.program.id())).expect("it runs");
    tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("status")).ok()).collect()
}

fn field<'t>(status: &'t str, name: &str) -> &'t str {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in:\n{status}")).trim()
}

fn confinement(daemon: &Daemon, scratch: &Scratch) -> Value {
    daemon.status(scratch).root()["confinement"].clone()
}
