//! Each way in which something around a key can fail (keyring, outputs, servers, rights, the daemon itself) has words of its own,
//! which tell a person what to do; and whoever does that finds that all is well.

use std::fs;
use std::path::Path;

use ekey_tests::ports::free_port;
use ekey_tests::scene::{Scene, WELL};
use ekey_tests::screen::await_last_words;
use ekey_tests::software_key::{MASTER_KEY_ON_CARD, SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use ekey_tests::{DaemonPlan, Finished, KeyPlan, Program, Scratch, await_until, binaries};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

#[test]
fn a_readable_keyring_works_after_chmod() {
    let scene = Scene::with_keyring(KeyPlan::named("key").rate(126), "");
    let path = scene.scratch.write("keyring", &scene.plan.keyring_line(), 0o644);
    let _ = scene.daemon.ctl(&scene.scratch, &["keyring", "reload"]);
    let path = path.display();
    scene.says(
        &format!(
            "Keyring {path}: the keyring has mode 0644, so others can read or change its keys; chmod 600 {path}; then run `ekey-ctl \
             keyring reload`."
        ),
        2,
    );
    let _ = scene.scratch.write("keyring", &scene.plan.keyring_line(), 0o600);
    scene.follows(&[]);
    scene.ends_well();
}

#[test]
fn a_broken_keyring_works_after_correction() {
    let scene = Scene::with_keyring(KeyPlan::named("key").rate(126), "");
    let path = scene.scratch.write("keyring", "# mine\nthis is none\n", 0o600);
    let _ = scene.daemon.ctl(&scene.scratch, &["keyring", "reload"]);
    let malformed = "expected a serial number and a key, with a blank between";
    let path = path.display();
    scene.says(&format!("Keyring {path}:2: {malformed}; then run `ekey-ctl keyring reload`."), 2);
    let _ = scene.scratch.write("keyring", &scene.plan.keyring_line(), 0o600);
    scene.follows(&[]);
    scene.ends_well();
}

#[test]
fn a_lost_keyring_returns_by_rekeying() {
    let plan = KeyPlan::named("key").rate(126).master_key(MASTER_KEY_ON_CARD);
    let scene = Scene::with_keyring(plan, "");
    let path = scene.scratch.path("keyring");
    fs::remove_file(&path).expect("it was there");
    let _ = scene.daemon.ctl(&scene.scratch, &["keyring", "reload"]);
    let path = path.display();
    scene.says(
        &format!(
            "Keyring {path}: the keyring does not exist; make one with `ekey-ctl rekey`, or correct the path; then run `ekey-ctl keyring \
             reload`."
        ),
        2,
    );
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
    let words = format!(
        "File {}: No such file or directory (os error 2); create the folder, or name another path in [file], then restart the daemon.",
        file.display()
    );
    await_last_words(&daemon, &scratch, &words);
    fs::create_dir(file.parent().expect("a folder")).expect("it can be made");
    daemon.program.kill();
    let mut daemon = running.start(&scratch);
    await_last_words(&daemon, &scratch, WELL);
    daemon.await_blocks(&file, 10);
}

#[test]
fn a_missing_right_to_credit_is_reported() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let daemon = DaemonPlan::default().key(&plan, &key).uncredited_kernel("enabled = true").start(&scratch);
    await_last_words(&daemon, &scratch, WELL);
    let screen = daemon.ctl(&scratch, &["status"]).words();
    assert!(screen.contains(" 0 bits credited, may not credit, ready"), "{screen}");
}

#[test]
fn a_missing_egd_server_is_found_once_started() {
    let scratch = Scratch::make();
    let server = format!("tcp:127.0.0.1:{}", free_port());
    let daemon = DaemonPlan::default().egd().fetch_from(std::slice::from_ref(&server), "").start(&scratch);
    let words = format!(
        "EGD server {server}: cannot connect: Connection refused (os error 111); see that its EGD server runs and that no firewall is \
         in the way."
    );
    await_last_words(&daemon, &scratch, &words);
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
    let words = "EGD: one key runs, and combining needs two: EGD clients get nothing until another runs, or combine = false in [egd].";
    await_last_words(&daemon, &scratch, words);
    let second = second.plug_in(&scratch);
    assert_eq!(daemon.ctl(&scratch, &["add", &second.path.display().to_string()]).code, Some(0));
    await_last_words(&daemon, &scratch, "All is well: 2 keys running.");
}

#[test]
fn without_a_daemon_the_advice_is_to_start_it() {
    let scratch = Scratch::make();
    let socket = scratch.path("control.sock");
    let finished = status_at(&socket, &scratch);
    let path = socket.display();
    let due = format!(
        "ekey-ctl: no daemon at {path}: is ekeyd running? Start it (systemctl start ekeyd), or give its socket with --socket\n"
    );
    assert_eq!((finished.code, finished.words()), (Some(3), due));
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).start(&scratch);
    daemon.await_state(&scratch, "running");
    await_until("a status", || (status_at(&socket, &scratch).code == Some(0)).then_some(()));
    daemon.program.signal(Signal::SIGSTOP);
    await_until("the daemon to stand still", || {
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.program.id())).expect("it is there");
        status.lines().any(|line| line.starts_with("State:\tT")).then_some(())
    });
    let finished = status_at(&socket, &scratch);
    let due =
        format!("ekey-ctl: no answer from {path} within 3 s: is ekeyd stuck? See its log (journalctl -u ekeyd)\n");
    assert_eq!((finished.code, finished.words()), (Some(4), due));
    daemon.program.signal(Signal::SIGCONT);
}

#[test]
fn the_tool_names_the_group_that_may_use_the_socket() {
    if !geteuid().is_root() {
        eprintln!("only root can become somebody else: not tried");
        return;
    }
    let scene = Scene::of(KeyPlan::named("key").rate(126));
    scene.ends_well();
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binaries::built("ekey-ctl"));
    command.arg("status").arg("--socket").arg(&scene.daemon.control);
    let finished = Program::run("ekey-ctl-as-nobody", command, &scene.scratch);
    let due = format!(
        "ekey-ctl: not allowed to use {}: join the group of that socket (ls -l shows it), or run this as root\n",
        scene.daemon.control.display()
    );
    assert_eq!((finished.code, finished.words()), (Some(4), due));
}

fn status_at(socket: &Path, scratch: &Scratch) -> Finished {
    let mut command = binaries::command("ekey-ctl");
    command.arg("status").arg("--socket").arg(socket);
    Program::run("ekey-ctl", command, scratch)
}
