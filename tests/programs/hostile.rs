//! What a client can do to the daemon, and what it must not get by it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ekey_tests::egd::EgdClient;
use ekey_tests::tries::{due, once_in_three};
use ekey_tests::usage::processor_time;
use ekey_tests::{DaemonPlan, KeyPlan, Scratch, await_until, blocks};
use nix::sys::signal::Signal;

#[test]
fn a_client_that_floods_the_egd_server_holds_up_nobody() {
    once_in_three(flooded);
}

/// How long others wait for an answer, and for the daemon's end, while clients flood its EGD server.
fn flooded() -> Result<(), String> {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).egd().start(&scratch);
    daemon.await_state(&scratch, "running", Duration::from_secs(10));
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = [&[0x03, 0, 0, 0][..], &[0x00], &[0x01, 0]]
        .into_iter()
        .map(|request| {
            let mut stream = UnixStream::connect(&daemon.egd).expect("the EGD socket");
            let (over, burst) = (Arc::clone(&over), request.repeat(4096));
            stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a timeout");
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // Whoever does not read its answers is not asked for more; what it sends meanwhile waits.
                    let _ = stream.write(&burst);
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    let answers = [(); 5].map(|()| {
        let before = Instant::now();
        let mut client = EgdClient::connect(&daemon.egd).expect("the EGD socket");
        client.available_bits().expect("an answer");
        let _ = daemon.status(&scratch);
        before.elapsed()
    });
    let before = Instant::now();
    daemon.program.signal(Signal::SIGTERM);
    let ended = daemon.program.wait(Duration::from_secs(30));
    let end = before.elapsed();
    over.store(true, Ordering::Relaxed);
    floods.into_iter().for_each(|flood| flood.join().expect("a flood ends"));
    assert_eq!(ended.code(), Some(0), "how it ended");
    let slowest = answers.into_iter().max().expect("five answers");
    due(slowest < Duration::from_secs(1), || format!("an answer under a flood took {slowest:?}"))?;
    due(end < Duration::from_secs(2), || format!("SIGTERM under a flood took {end:?}"))
}

#[test]
fn a_key_that_floods_garbage_costs_less_than_two_percent_of_a_core() {
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
    let daemon = DaemonPlan::default().path(&path).start(&scratch);
    thread::sleep(Duration::from_secs(1));
    let bytes_read = || daemon.status(&scratch).count("/keys/0/bytes_read");
    once_in_three(|| {
        let (before, read_before) = (processor_time(daemon.program.id()), bytes_read());
        let span = Duration::from_secs(10);
        thread::sleep(span);
        let share = (processor_time(daemon.program.id()) - before).as_secs_f64() / span.as_secs_f64();
        let read = bytes_read() - read_before;
        println!("{:.2} % of a core, {read} bytes of garbage read", share * 100.0);
        assert!(read > 500_000, "the daemon hardly listens: {read} bytes");
        due(share < 0.02, || format!("a flood costs {:.2} % of a core", share * 100.0))
    });
}

#[test]
fn the_smallest_pool_still_feeds_a_file_beside_an_egd_server() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(0);
    let key = plan.plug_in(&scratch);
    let output = scratch.path("output");
    let daemon = DaemonPlan::default().key(&plan, &key).egd().pool(16_384).file(&output, None).start(&scratch);
    await_until("5,000 blocks in the file", Duration::from_secs(20), || {
        (blocks::blocks_in(&output) >= 5000).then_some(())
    });
    drop(daemon);
    blocks::assert_in_order(&output, &key.plain_log);
}
