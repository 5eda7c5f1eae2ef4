//! A key with the right long-term key that lies: about numbers, and about its serial.

use std::time::Duration;

use ekey_tests::serving::writing;
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until, blocks};

#[test]
fn a_key_that_reports_huge_numbers_keeps_serving() {
    let scratch = Scratch::make();
    // Every other second 2^32 - 1 of everything, or 49 nines; every other session key for a nonce of 4095 bytes.
    let plan = KeyPlan::named("key").rate(126).fault("boast:2");
    let key = plan.plug_in(&scratch);
    let output = scratch.path("output");
    let mut daemon = DaemonPlan::default().key(&plan, &key).file(&output, None).start(&scratch);
    daemon.await_state(&scratch, "running");
    let lied = await_until("nonsense in the information", || {
        let status = daemon.status(&scratch);
        (status.count("/keys/0/frames/malformed") >= 2).then_some(status)
    });
    for verb in [&["status"][..], &["list"], &["stats", "1"], &["top"]] {
        let said = daemon.ctl(&scratch, verb);
        assert_eq!(said.code, Some(0), "{verb:?}: {said:?}");
    }
    // It has lied about a nonce's length too, or will when the next session begins.
    await_until("an answer to a reset", || {
        (daemon.ctl(&scratch, &["reset", "1", "--level", "soft"]).code == Some(0)).then_some(())
    });
    let sessions = lied.count("/keys/0/connection/rekeys");
    await_until("a session that it did not lie about", || {
        let status = daemon.status(&scratch);
        (status.count("/keys/0/connection/rekeys") > sessions && status.key(0).state() == "running").then_some(())
    });
    assert!(!daemon.program.stderr().contains("panicked"), "{}", daemon.program.stderr());
    drop(daemon);
    blocks::assert_in_order(&output, &key.plain_log);
}

#[test]
fn a_key_that_changes_its_serial_gives_nothing() {
    let ((scratch, key, mut daemon), output) =
        writing(&KeyPlan::named("key").rate(126).fault("wrong-serial:2"), None, |daemon| daemon);
    daemon.await_blocks(&output, 50);
    // Each reset changes its serial, or changes it back.
    for _ in 0..4 {
        let _ = daemon.ctl(&scratch, &["reset", "1", "--level", "soft"]);
        let other = await_until("the key to report a serial", || {
            let status = daemon.status(&scratch);
            ["serial-unknown", "wrong-serial", "running"]
                .contains(&status.key(0).state())
                .then_some(status.key(0).state() != "running")
        });
        if other {
            // None of its bytes arrives: the last block of the right serial comes out soon, and then no more.
            let written = || blocks::blocks_in(&output);
            await_until("the file to stop growing", || {
                let before = written();
                std::thread::sleep(Duration::from_millis(300));
                (written() == before).then_some(())
            });
        }
    }
    assert!(!daemon.program.stderr().contains("panicked"), "{}", daemon.program.stderr());
    drop(daemon);
    blocks::assert_in_order(&output, &key.plain_log);
}
