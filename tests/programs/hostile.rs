//! What a client can do to the daemon, and what it must not gain by it.

use ekey_tests::egd::EgdClient;
use ekey_tests::floods::{Flood, key_of_garbage};
use ekey_tests::serving::{running, writing};
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until, blocks};
use nix::sys::signal::Signal;

#[test]
fn a_client_that_floods_egd_delays_no_other() {
    let (scratch, _key, mut daemon) = running(&KeyPlan::named("key").rate(126), DaemonPlan::egd);
    let flood = Flood::of_requests(&daemon.egd);
    await_until("the floods", || (daemon.status(&scratch).count("/egd/0/requests") > 10_000).then_some(()));
    for _ in 0..5 {
        let mut client = EgdClient::connect(&daemon.egd).expect("the EGD socket");
        client.available_bits().expect("an answer");
        assert_eq!(daemon.status(&scratch).key(0).state(), "running");
    }
    daemon.program.signal(Signal::SIGTERM);
    let ended = daemon.program.wait();
    flood.end();
    assert_eq!(ended.code(), Some(0), "how it ended");
}

#[test]
fn a_key_that_floods_garbage_leaves_the_others_alone() {
    let scratch = Scratch::make();
    let path = scratch.path("mad.key");
    key_of_garbage(&path);
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let daemon = DaemonPlan::default().key(&plan, &key).path(&path).start(&scratch);
    let garbage = |least: u64| {
        await_until(&format!("{least} bytes of garbage"), || {
            let status = daemon.status(&scratch);
            (status.count("/keys/1/bytes_read") >= least).then_some(status)
        })
    };
    let before = garbage(100_000).key(0).frames("ok");
    let status = garbage(500_000);
    assert_eq!(status.key(1).frames("ok"), 0, "frames of garbage: {status}");
    assert_ne!(status.key(1).state(), "running", "{status}");
    await_until("the other key to keep sending", || {
        let key = daemon.status(&scratch);
        (key.key(0).state() == "running" && key.key(0).frames("ok") > before + 126).then_some(())
    });
}

#[test]
fn the_smallest_pool_feeds_file_and_egd_server() {
    let ((_scratch, key, daemon), output) =
        writing(&KeyPlan::named("key").rate(0), None, |daemon| daemon.egd().pool(16_384));
    await_until("5,000 blocks in the file", || (blocks::blocks_in(&output) >= 5000).then_some(()));
    drop(daemon);
    blocks::assert_in_order(&output, &key.plain_log);
}
