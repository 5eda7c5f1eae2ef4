//! Each way in which a key can fail to serve has a state of its own, and tells the person what to do next.

use std::time::Duration;

use ekey_tests::control::ControlClient;
use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SERIAL};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Program, Scratch, Status, await_until, binaries};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_healthy_key_is_running_and_the_exit_code_is_0() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).start(&scratch);
    let status = daemon.await_state(&scratch, "running", SOON);
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn a_key_whose_generators_went_bad_is_self_stopped() {
    let plan = KeyPlan::named("key").fault("badness:5000");
    reaches(&plan, &plan.keyring_line(), "self-stopped", &["unplug", "replug", "power"]);
}

#[test]
fn a_key_with_another_long_term_key_than_the_keyring_says_so() {
    let plan = KeyPlan::named("key").fault("ltk-mismatch:1");
    reaches(&plan, &plan.keyring_line(), "long-term-key-bad", &["ekey-ctl rekey"]);
}

#[test]
fn a_keyring_with_the_wrong_long_term_key_is_the_same_state() {
    let plan = KeyPlan::named("key");
    let line = format!("{SERIAL} {SECOND_LONG_TERM_KEY}\n");
    reaches(&plan, &line, "long-term-key-bad", &["ekey-ctl rekey"]);
}

#[test]
fn a_key_that_the_keyring_does_not_know_is_serial_unknown() {
    let plan = KeyPlan::named("key");
    reaches(&plan, "", "serial-unknown", &["ekey-ctl rekey", "ekey-ctl keyring add"]);
}

#[test]
fn a_key_that_is_not_the_one_asked_for_is_a_wrong_serial() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").fault("wrong-serial:1");
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().keyring_line(&plan.keyring_line()).start(&scratch);
    let mut control = ControlClient::connect(&daemon.control).expect("the control socket greets");
    let path = key.path.display();
    let reply = control.say(&format!("AddEntropyKey(\"{path}\", \"{SERIAL}\")"));
    let reply = reply.expect("the control socket answers");
    assert!(reply.ok(), "{reply:?}");
    let status = daemon.await_state(&scratch, "wrong-serial", SOON);
    assert_eq!(status.code(), Some(2), "{status}");
    says(&scratch, &daemon, &["expected key"]);
}

#[test]
fn a_key_that_hangs_until_replugged_ends_in_recovering_and_asks_for_a_hand() {
    let plan = KeyPlan::named("key").wedge("until-replug");
    let scratch = Scratch::make();
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).start(&scratch);
    let status = await_until("every rung to be tried", Duration::from_secs(60), || {
        let status = daemon.await_state(&scratch, "recovering", SOON);
        (status.key(0).rung() == "pause").then_some(status)
    });
    assert_eq!(status.code(), Some(2), "{status}");
    says(&scratch, &daemon, &["replug", "unplug"]);
}

#[test]
fn one_of_two_keys_not_running_is_exit_code_1() {
    let scratch = Scratch::make();
    let good = KeyPlan::named("good").rate(126);
    let bad = KeyPlan::named("bad").rate(126).identity("Nw/vBlg3+TBJORFE", SECOND_LONG_TERM_KEY);
    let good_key = good.plug_in(&scratch);
    let bad_key = bad.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&good, &good_key).stranger(&bad_key).start(&scratch);
    let status = daemon.await_state(&scratch, "running", SOON);
    assert_eq!(status.keys(), 2, "{status}");
    assert_eq!(status.code(), Some(1), "{status}");
}

#[test]
fn without_a_daemon_the_exit_code_is_3_and_the_words_name_the_socket() {
    let scratch = Scratch::make();
    let socket = scratch.path("nobody.sock");
    let mut command = binaries::command("ekey-ctl");
    command.arg("status").arg("--socket").arg(&socket);
    let finished = Program::run("ekey-ctl", command, &scratch, SOON);
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.stderr.contains("nobody.sock"), "the error does not name the socket: {finished:?}");
}

/// The key gets into `state`, alone and so with exit code 2, and the human status names one of `next_steps`.
fn reaches(plan: &KeyPlan, keyring: &str, state: &str, next_steps: &[&str]) -> Status {
    let scratch = Scratch::make();
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().stranger(&key).keyring_line(keyring).start(&scratch);
    let status = daemon.await_state(&scratch, state, SOON);
    assert_eq!(status.code(), Some(2), "{status}");
    says(&scratch, &daemon, next_steps);
    status
}

fn says(scratch: &Scratch, daemon: &Daemon, next_steps: &[&str]) {
    let human = daemon.ctl(scratch, &["status"]);
    let words = human.words().to_lowercase();
    assert!(
        next_steps.iter().any(|step| words.contains(step)),
        "the status names no next step, such as one of {next_steps:?}: {human:?}"
    );
}
