//! No session is taken twice: a recording of it gives nothing, even where `/dev/urandom` repeats after each start.

use std::fs;
use std::path::Path;

use ekey_tests::proxy::{Recorder, Replay};
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until};

/// What the daemon takes of a session before the recording ends.
const ENOUGH: u64 = 30_000;

#[test]
fn a_recorded_session_gives_nothing_after_a_restart() {
    if !nix::unistd::geteuid().is_root() {
        return println!("only root can make /dev/urandom repeat");
    }
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let path = scratch.path("recorded.key");
    let recorder = Recorder::start(&path, &key.path);
    let daemon_plan = DaemonPlan::default().path(&path).keyring_line(&plan.keyring_line()).repeating_urandom();
    let mut daemon = daemon_plan.start(&scratch);
    await_until("a recorded session", || {
        (daemon.status(&scratch).count("/keys/0/entropy_bytes") >= ENOUGH).then_some(())
    });
    daemon.program.kill();
    let recording = recorder.end();

    let replay = Replay::start(&path, recording);
    let daemon = daemon_plan.start(&scratch);
    await_until("the end of the recording", || replay.is_over().then_some(()));
    let status = await_until("frames that do not verify, or are taken", || {
        let status = daemon.status(&scratch);
        let is_judged = status.key(0).frames("mac_failures") >= 3 || status.count("/keys/0/entropy_bytes") > 0;
        is_judged.then_some(status)
    });
    assert_eq!(status.count("/keys/0/entropy_bytes"), 0, "bytes of a recording were taken: {status}");
    assert_eq!(status.count("/pool/received_bytes"), 0, "{status}");
}

#[test]
fn the_nonce_counter_moves_on_with_each_start() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(500);
    let file = scratch.path("state/nonce-counter");
    let mut seen = Vec::new();
    for start in 0..3 {
        let key = plan.plug_in(&scratch);
        let mut daemon = DaemonPlan::default().key(&plan, &key).start(&scratch);
        let status = daemon.await_state(&scratch, "running");
        assert_eq!(status.at("/nonces/problem"), &serde_json::Value::Null, "{status}");
        daemon.program.kill();
        seen.push(value(&file));
        assert!(start == 0 || seen[start] > seen[start - 1], "{seen:x?}");
    }
}

#[test]
fn a_state_dir_that_fails_is_named() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(500);
    let key = plan.plug_in(&scratch);
    let state = scratch.write("state", "a file", 0o600);
    let mut daemon = DaemonPlan::default().key(&plan, &key).start(&scratch);
    // The kernel's generator is ready, so the key serves.
    let status = daemon.await_state(&scratch, "running");
    let problem = status.at("/nonces/problem").as_str().unwrap_or_default().to_owned();
    assert!(problem.contains(&state.display().to_string()) && problem.contains("state-dir"), "{status}");
    let screen = daemon.ctl(&scratch, &["status"]).stdout;
    assert!(screen.contains("Nonce counter"), "{screen}");
}

fn value(file: &Path) -> u128 {
    let text = fs::read_to_string(file).expect("a counter");
    u128::from_str_radix(text.trim_end(), 16).expect("a number")
}
