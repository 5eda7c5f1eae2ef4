//! What a client can do to the daemon, and what it must not gain by it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ekey_tests::egd::EgdClient;
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until, blocks};
use nix::sys::signal::Signal;

#[test]
fn a_client_that_floods_egd_delays_no_other() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).egd().start(&scratch);
    daemon.await_state(&scratch, "running");
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = [&[0x03, 0, 0, 0][..], &[0x00], &[0x01, 0]]
        .into_iter()
        .map(|request| {
            let mut stream = UnixStream::connect(&daemon.egd).expect("the EGD socket");
            let (over, burst) = (Arc::clone(&over), request.repeat(4096));
            stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a timeout");
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // The server reads no more from a client that reads no answers; its further requests wait.
                    let _ = stream.write(&burst);
                }
            })
        })
        .collect();
    await_until("the floods", || (daemon.status(&scratch).count("/egd/0/requests") > 10_000).then_some(()));
    for _ in 0..5 {
        let mut client = EgdClient::connect(&daemon.egd).expect("the EGD socket");
        client.available_bits().expect("an answer");
        assert_eq!(daemon.status(&scratch).key(0).state(), "running");
    }
    daemon.program.signal(Signal::SIGTERM);
    let ended = daemon.program.wait();
    over.store(true, Ordering::Relaxed);
    floods.into_iter().for_each(|flood| flood.join().expect("a flood ends"));
    assert_eq!(ended.code(), Some(0), "how it ended");
}

#[test]
fn a_key_that_floods_garbage_leaves_the_others_alone() {
    let scratch = Scratch::make();
    let path = scratch.path("mad.key");
    let listener = UnixListener::bind(&path).expect("a socket");
    thread::spawn(move || {
        let mut garbage = vec![0; 65_536];
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut garbage)).expect("randomness");
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            while stream.write_all(&garbage).is_ok() {}
        }
    });
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
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(0);
    let key = plan.plug_in(&scratch);
    let output = scratch.path("output");
    let daemon = DaemonPlan::default().key(&plan, &key).egd().pool(16_384).file(&output, None).start(&scratch);
    await_until("5,000 blocks in the file", || (blocks::blocks_in(&output) >= 5000).then_some(()));
    drop(daemon);
    blocks::assert_in_order(&output, &key.plain_log);
}
