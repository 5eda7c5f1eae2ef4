//! A disturbed line costs only the disturbed frames: no reset, no lost block, no repeated block.

use ekey_tests::{DaemonPlan, KeyPlan, Scratch, Status, blocks};

const FRAMES: u64 = 20_000;

#[test]
fn a_flipped_bit_costs_its_frame_and_no_more() {
    let status = deliver_despite("flip:100");
    assert_counted(&status, &["mac_failures", "framing_errors"]);
}

#[test]
fn a_dropped_frame_costs_nothing_else() {
    let status = deliver_despite("drop:100");
    assert_counted(&status, &["gaps"]);
}

#[test]
fn a_replayed_frame_is_never_delivered_twice() {
    let status = deliver_despite("replay:100");
    assert_counted(&status, &["replayed"]);
}

#[test]
fn a_frame_of_an_old_session_is_refused() {
    let status = deliver_despite("old-session:100");
    assert_counted(&status, &["mac_failures"]);
}

#[test]
fn noise_between_frames_costs_no_frame() {
    let status = deliver_despite("noise:100");
    assert_counted(&status, &["framing_errors"]);
}

#[test]
fn a_truncated_frame_costs_only_itself() {
    let status = deliver_despite("truncate:100");
    assert_counted(&status, &["framing_errors"]);
}

#[test]
fn a_gap_in_the_sequence_is_counted_and_harmless() {
    let status = deliver_despite("gap:100");
    assert_counted(&status, &["gaps"]);
}

#[test]
fn all_faults_together_deliver_each_whole_block_once() {
    let faults = ["flip:101", "drop:103", "replay:107", "old-session:109", "noise:113", "truncate:127", "gap:131"];
    let status = deliver_despite_all(&faults);
    for counter in ["mac_failures", "framing_errors", "gaps", "replayed"] {
        assert_counted(&status, &[counter]);
    }
}

#[test]
fn a_key_that_stalls_recovers_unattended() {
    // Each stall lasts until a ^C: three stretches need two revivals.
    is_revived(&KeyPlan::named("key").fault("stall:500"), 1_100);
}

#[test]
fn a_key_that_hangs_until_reset_recovers_unattended() {
    is_revived(&KeyPlan::named("key").wedge("until-ctrl-c:500"), 5_000);
}

#[test]
fn a_key_that_hangs_until_reopen_recovers_unattended() {
    is_revived(&KeyPlan::named("key").wedge("until-reopen:500"), 5_000);
}

/// Checks that a key delivers `FRAMES` frames in order and once, without any intervention.
fn is_revived(plan: &KeyPlan, frames: u64) {
    let scratch = Scratch::make();
    let key = plan.plug_in(&scratch);
    let output = scratch.path("entropy");
    let mut daemon = DaemonPlan::default().key(plan, &key).file(&output, None).start(&scratch);
    daemon.await_blocks(&output, frames);
    daemon.await_state(&scratch, "running");
    daemon.program.kill();
    blocks::assert_in_order(&output, &key.plain_log);
}

fn deliver_despite(fault: &str) -> Status {
    deliver_despite_all(&[fault])
}

fn deliver_despite_all(faults: &[&str]) -> Status {
    let scratch = Scratch::make();
    let plan = faults.iter().fold(KeyPlan::named("key"), |plan, fault| plan.fault(fault));
    let key = plan.plug_in(&scratch);
    let output = scratch.path("entropy");
    // On a busy machine a key is silent for seconds, which must not cause a reset here.
    let plan = DaemonPlan::default().key(&plan, &key).file(&output, Some(FRAMES));
    let mut daemon = plan.extra("[recovery]\nsilence-ms = 600000\n").start(&scratch);
    daemon.await_blocks(&output, FRAMES);
    let status = daemon.status(&scratch);
    daemon.program.kill();
    blocks::assert_prefix(&output, &key.plain_log, FRAMES);
    let resets = status.key(0).resets();
    assert!(resets <= 1, "{resets} resets under {faults:?}, expected at most the one at opening: {status}");
    status
}

/// Checks that at least one of the counters has counted.
fn assert_counted(status: &Status, counters: &[&str]) {
    let counts = counters.iter().map(|name| status.key(0).frames(name)).collect::<Vec<_>>();
    assert!(counts.iter().any(|count| *count > 0), "{counters:?} are {counts:?}: the faults went uncounted: {status}");
}
