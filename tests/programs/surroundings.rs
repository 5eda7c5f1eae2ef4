//! Each failure around a key (keyring, outputs, servers, rights, the daemon itself) has its own advice on the screen, and following
//! the advice ends the failure. The advice is in surroundings.txt.

use std::fs;
use std::path::Path;

use ekey_tests::golden::Golden;
use ekey_tests::ports::free_port;
use ekey_tests::scene::{Scene, WELL};
use ekey_tests::screen::{await_advice, await_last_words};
use ekey_tests::serving::started;
use ekey_tests::software_key::{MASTER_KEY_ON_CARD, SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use ekey_tests::{DaemonPlan, Finished, KeyPlan, Program, Scratch, await_until, binaries};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

const ADVICE: Golden = Golden("programs/surroundings.txt");

#[test]
fn a_readable_keyring_works_after_chmod() {
    let line = KeyPlan::named("key").keyring_line();
    a_bad_keyring_works_after_its_repair(&line, 0o644, "a readable keyring");
}

#[test]
fn a_broken_keyring_works_after_correction() {
    a_bad_keyring_works_after_its_repair("# mine\nthis is none\n", 0o600, "a malformed keyring");
}

#[test]
fn a_lost_keyring_returns_by_rekeying() {
    let plan = KeyPlan::named("key").rate(126).master_key(MASTER_KEY_ON_CARD);
    let scene = Scene::with_keyring(plan, "");
    let path = scene.scratch.path("keyring");
    fs::remove_file(&path).expect("it existed");
    let _ = scene.daemon.ctl(&scene.scratch, &["keyring", "reload"]);
    let path = path.display().to_string();
    scene.advises(&ADVICE.sentence("no keyring", &[("path", &path)]), 2);
    scene.rekeys();
    scene.ends_well();
}

#[test]
fn an_unwritable_file_works_after_a_restart() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let file = scratch.path("missing/entropy");
    let running = DaemonPlan::default().key(&plan, &key).file(&file, None);
    let mut daemon = running.start(&scratch);
    let path = file.display().to_string();
    await_advice(&daemon, &scratch, &ADVICE.sentence("an unwritable file", &[("path", &path)]));
    fs::create_dir(file.parent().expect("a folder")).expect("it can be made");
    daemon.program.kill();
    let mut daemon = running.start(&scratch);
    await_last_words(&daemon, &scratch, WELL);
    daemon.await_blocks(&file, 10);
}

#[test]
fn a_missing_right_to_credit_is_reported() {
    let (scratch, _key, daemon) =
        started(&KeyPlan::named("key").rate(126), |daemon| daemon.uncredited_kernel("enabled = true"));
    await_last_words(&daemon, &scratch, WELL);
    let screen = daemon.ctl(&scratch, &["status"]).words();
    assert!(screen.contains(" 0 bits credited, may not credit, ready"), "{screen}");
}

#[test]
fn a_missing_egd_server_is_found_once_started() {
    let scratch = Scratch::make();
    let server = format!("tcp:127.0.0.1:{}", free_port());
    let daemon = DaemonPlan::default().egd().fetch_from(std::slice::from_ref(&server), "").start(&scratch);
    await_advice(&daemon, &scratch, &ADVICE.sentence("no EGD server", &[("server", &server)]));
    let elsewhere = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&elsewhere);
    let _serves = DaemonPlan::default().key(&plan, &key).listen(&server).start(&elsewhere);
    await_last_words(&daemon, &scratch, "All is well: EGD server connected.");
}

#[test]
fn combining_works_once_a_second_key_is_there() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let second = KeyPlan::named("second").rate(126).identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY);
    let key = plan.plug_in(&scratch);
    let line = second.keyring_line();
    let running = DaemonPlan::default().key(&plan, &key).keyring_line(&line).egd().egd_lines("combine = true");
    let daemon = running.start(&scratch);
    await_advice(&daemon, &scratch, &ADVICE.sentence("one key to combine", &[]));
    let second = second.plug_in(&scratch);
    assert_eq!(daemon.ctl(&scratch, &["add", &second.path.display().to_string()]).code, Some(0));
    await_last_words(&daemon, &scratch, "All is well: 2 keys running.");
}

#[test]
fn without_a_daemon_the_advice_is_to_start_it() {
    let scratch = Scratch::make();
    let socket = scratch.path("control.sock");
    let finished = status_at(&socket, &scratch);
    let path = socket.display().to_string();
    ADVICE.sentence("no daemon", &[("path", &path)]).check(&finished.words());
    assert_eq!(finished.code, Some(3));
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).start(&scratch);
    daemon.await_state(&scratch, "running");
    await_until("a status", || (status_at(&socket, &scratch).code == Some(0)).then_some(()));
    daemon.program.signal(Signal::SIGSTOP);
    await_until("the daemon to stop", || {
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.program.id())).expect("it exists");
        status.lines().any(|line| line.starts_with("State:\tT")).then_some(())
    });
    let finished = status_at(&socket, &scratch);
    ADVICE.sentence("a stuck daemon", &[("path", &path)]).check(&finished.words());
    assert_eq!(finished.code, Some(4));
    daemon.program.signal(Signal::SIGCONT);
}

#[test]
fn the_tool_names_the_group_that_may_use_the_socket() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let scene = Scene::of(KeyPlan::named("key").rate(126));
    scene.ends_well();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binaries::built("ekey-ctl"));
    command.arg("status").arg("--socket").arg(&scene.daemon.control);
    let finished = Program::run("ekey-ctl-as-nobody", command, &scene.scratch);
    let path = scene.daemon.control.display().to_string();
    ADVICE.sentence("no right to the socket", &[("path", &path)]).check(&finished.words());
    assert_eq!(finished.code, Some(4));
}

fn a_bad_keyring_works_after_its_repair(text: &str, mode: u32, advice: &str) {
    let scene = Scene::with_keyring(KeyPlan::named("key").rate(126), "");
    let path = scene.scratch.write("keyring", text, mode).display().to_string();
    let _ = scene.daemon.ctl(&scene.scratch, &["keyring", "reload"]);
    scene.advises(&ADVICE.sentence(advice, &[("path", &path)]), 2);
    let _ = scene.scratch.write("keyring", &scene.plan.keyring_line(), 0o600);
    scene.follows(&[]);
    scene.ends_well();
}

fn status_at(socket: &Path, scratch: &Scratch) -> Finished {
    let mut command = binaries::command("ekey-ctl");
    command.arg("status").arg("--socket").arg(socket);
    Program::run("ekey-ctl", command, scratch)
}
