//! Each way in which a key can fail to serve has its own advice on the screen, and following the advice makes the key run. The
//! advice is in states.txt.

use std::fs;

use ekey_tests::control::ControlClient;
use ekey_tests::golden::Golden;
use ekey_tests::scene::{Scene, WELL};
use ekey_tests::screen::{await_advice, await_last_words};
use ekey_tests::software_key::{MASTER_KEY_ON_CARD, Plug, SECOND_LONG_TERM_KEY, SECOND_SERIAL, SERIAL};
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until};
use nix::sys::signal::Signal;

const ADVICE: Golden = Golden("programs/states.txt");

#[test]
fn a_healthy_key_is_running_and_the_exit_code_is_0() {
    let scene = Scene::of(KeyPlan::named("key").rate(126));
    scene.ends_well();
}

#[test]
fn single_faults_are_counted_and_harmless() {
    for fault in ["flip:50", "drop:50", "replay:50", "old-session:50", "noise:50", "truncate:50", "gap:50", "stall:500"]
    {
        let mut scene = Scene::of(KeyPlan::named("key").rate(500).fault(fault));
        scene.daemon.await_state(&scene.scratch, "running");
        await_until(&format!("{fault} to be seen"), || {
            let screen = scene.daemon.ctl(&scene.scratch, &["status"]).words();
            let hits = ["wrong MAC", "missing", "replayed", "broken", "steps of reviving 1"];
            hits.iter().any(|hit| screen.contains(hit)).then_some(())
        });
        scene.ends_well();
    }
}

#[test]
fn without_a_key_the_advice_is_to_plug_one_in() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let daemon = DaemonPlan::default().keyring_line(&plan.keyring_line()).start(&scratch);
    let scene = Scene { scratch, plan, key, daemon };
    scene.advises(&ADVICE.sentence("no key", &[]), 2);
    let config = fs::read_to_string(&scene.daemon.config).expect("it exists");
    let named = config.replace("paths = []", &format!("paths = [{:?}]", scene.key.path));
    fs::write(&scene.daemon.config, named).expect("it can be written");
    scene.daemon.program.signal(Signal::SIGHUP);
    scene.ends_well();
}

#[test]
fn a_key_that_stopped_itself_runs_after_a_replug() {
    runs_after_a_replug(KeyPlan::named("key").fault("badness:5000"), "the key stopped itself", 126);
}

#[test]
fn a_key_with_a_wrong_long_term_key_runs_after_rekey() {
    let plan = KeyPlan::named("key").rate(126).master_key(MASTER_KEY_ON_CARD);
    let scene = Scene::with_keyring(plan, &format!("{SERIAL} {SECOND_LONG_TERM_KEY}\n"));
    scene.advises(&ADVICE.sentence("wrong long-term key", &[("serial", SERIAL)]), 2);
    scene.rekeys();
    scene.ends_well();
}

#[test]
fn every_session_failing_advises_a_rekey() {
    let scene = Scene::of(KeyPlan::named("key").fault("ltk-mismatch:1"));
    scene.advises(&ADVICE.sentence("wrong long-term key", &[("serial", SERIAL)]), 2);
}

#[test]
fn an_unknown_key_runs_after_a_rekey() {
    let plan = KeyPlan::named("key").rate(126).master_key(MASTER_KEY_ON_CARD);
    let scene = Scene::with_keyring(plan, "");
    scene.advises(&ADVICE.sentence("unknown key", &[("serial", SERIAL)]), 2);
    scene.rekeys();
    scene.ends_well();
}

#[test]
fn a_key_with_another_serial_makes_way() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126).fault("wrong-serial:1");
    let key = plan.plug_in(&scratch);
    let daemon = DaemonPlan::default().keyring_line(&plan.keyring_line()).start(&scratch);
    let mut control = ControlClient::connect(&daemon.control).expect("the control socket greets");
    let path = key.path.display().to_string();
    let reply = control.say(&format!("AddEntropyKey(\"{path}\", \"{SERIAL}\")")).expect("an answer");
    assert!(reply.ok(), "{reply:?}");
    let mut scene = Scene { scratch, plan, key, daemon };
    let status = scene.daemon.await_state(&scene.scratch, "wrong-serial");
    let serial = status.at("/keys/0/serial").as_str().expect("the serial that it reports").to_owned();
    scene.advises(&ADVICE.sentence("wrong serial", &[("serial", &serial), ("path", &path)]), 2);
    scene.replug(KeyPlan::named("key").rate(126));
    scene.ends_well();
}

#[test]
fn a_hung_key_is_revived_or_advises_a_replug() {
    for wedge in ["until-ctrl-c", "until-reopen"] {
        Scene::of(KeyPlan::named("key").rate(126).wedge(wedge)).ends_well();
    }
    let mut scene = Scene::of(KeyPlan::named("key").wedge("until-replug"));
    scene.advises(&ADVICE.sentence("dead", &[]), 2);
    let status = scene.daemon.status(&scene.scratch);
    assert_eq!((status.key(0).state(), status.key(0).rung()), ("recovering", "pause"), "{status}");
    scene.replug(KeyPlan::named("key").rate(126));
    scene.ends_well();
}

#[test]
fn a_missing_or_dead_node_runs_once_plugged_in() {
    for plug in [Plug::Unix, Plug::Pty] {
        let mut scene = Scene::of(KeyPlan::named("key").rate(126).plug(plug));
        scene.ends_well();
        scene.key.program.kill();
        let path = scene.key.path.display().to_string();
        let advice = if plug == Plug::Pty { "no node" } else { "a socket without a program" };
        scene.advises(&ADVICE.sentence(advice, &[("serial", SERIAL), ("path", &path)]), 2);
        scene.replug(scene.plan.clone());
        scene.ends_well();
    }
}

#[test]
fn a_busy_key_runs_once_the_other_program_ends() {
    let plan = KeyPlan::named("key").rate(126).plug(Plug::Pty);
    let mut holds = Scene::of(plan.clone());
    holds.ends_well();
    let scratch = Scratch::make();
    let daemon = DaemonPlan::default().key(&plan, &holds.key).start(&scratch);
    let path = holds.key.path.display().to_string();
    await_advice(&daemon, &scratch, &ADVICE.sentence("held by another program", &[("path", &path)]));
    holds.daemon.program.kill();
    await_last_words(&daemon, &scratch, WELL);
}

#[test]
fn a_retired_key_advises_a_replacement() {
    runs_after_a_replug(KeyPlan::named("key").bad_source("half:100"), "failed its test", 3000);
}

#[test]
fn one_of_two_keys_not_running_is_exit_code_1() {
    let scene = Scene::of(KeyPlan::named("good").rate(126));
    let bad = KeyPlan::named("bad").rate(126).identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY);
    let bad = bad.plug_in(&scene.scratch);
    let added = scene.daemon.ctl(&scene.scratch, &["add", &bad.path.display().to_string()]);
    assert_eq!(added.code, Some(0), "{added:?}");
    scene.advises(&ADVICE.sentence("unknown second key", &[("serial", SECOND_SERIAL)]), 1);
    assert_eq!(scene.daemon.ctl(&scene.scratch, &["remove", SECOND_SERIAL]).code, Some(0));
    scene.ends_well();
}

/// Checks the advice for this key, and that a healthy key in its place runs.
fn runs_after_a_replug(plan: KeyPlan, advice: &str, rate: u32) {
    let mut scene = Scene::of(plan);
    scene.advises(&ADVICE.sentence(advice, &[("serial", SERIAL)]), 2);
    scene.replug(KeyPlan::named("key").rate(rate));
    scene.ends_well();
}
