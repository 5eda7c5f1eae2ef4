//! Two keys feed one pool: one is unplugged and plugged in again while a client reads, and the other is unaffected.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};

use ekey_tests::blocks::{Account, read};
use ekey_tests::egd::EgdClient;
use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SECOND_SERIAL, SoftwareKey};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, await_until};

/// Frames a second of each key: fast enough to serve steadily, slow enough for a small account.
const RATE: u32 = 1000;

#[test]
fn replugging_one_key_leaves_the_other_running() {
    let scratch = Scratch::make();
    let steady = KeyPlan::named("steady").rate(RATE);
    let fickle = KeyPlan::named("fickle").rate(RATE).identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY);
    let steady_key = steady.plug_in(&scratch);
    let mut fickle_key = fickle.plug_in(&scratch);
    let daemon = DaemonPlan::default().key(&steady, &steady_key).key(&fickle, &fickle_key).egd().start(&scratch);
    let reader = Reader::start(&daemon);
    await_running(&scratch, &daemon, &steady_key);
    await_running(&scratch, &daemon, &fickle_key);

    let mut logs = vec![fickle_key.plain_log.clone()];
    for _ in 0..3 {
        fickle_key.program.kill();
        let before = frames(&scratch, &daemon, &steady_key);
        await_progress(&scratch, &daemon, &steady_key, before);
        fickle_key = fickle.plug_in(&scratch);
        logs.push(fickle_key.plain_log.clone());
        let before = frames(&scratch, &daemon, &steady_key);
        await_running(&scratch, &daemon, &fickle_key);
        await_progress(&scratch, &daemon, &steady_key, before);
    }
    logs.push(steady_key.plain_log.clone());

    let served = reader.stop();
    drop(daemon);
    let logs = logs.iter().map(|path| read(path)).collect::<Vec<_>>();
    assert!(served.len() > 10_000, "only {} bytes were served", served.len());
    let booked = Account::of(&logs).book(&served);
    assert_eq!(booked, Ok(()), "{} bytes were served", served.len());
}

/// Waits until the key runs and its frames grow.
fn await_running(scratch: &Scratch, daemon: &Daemon, key: &SoftwareKey) {
    let path = key.path.display().to_string();
    await_until(&format!("{path} to run"), || {
        let status = daemon.status(scratch);
        let running = status.key_at(&path)?.state() == "running";
        running.then_some(())
    });
    await_progress(scratch, daemon, key, frames(scratch, daemon, key));
}

/// Waits until the key has brought a second's frames more than `before`.
fn await_progress(scratch: &Scratch, daemon: &Daemon, key: &SoftwareKey, before: u64) {
    let goal = before + u64::from(RATE);
    let what = format!("frame {goal} of {}", key.path.display());
    await_until(&what, || (frames(scratch, daemon, key) >= goal).then_some(()));
}

fn frames(scratch: &Scratch, daemon: &Daemon, key: &SoftwareKey) -> u64 {
    let path = key.path.display().to_string();
    let status = daemon.status(scratch);
    let Some(key) = status.key_at(&path) else {
        panic!("{path} is not in {status}");
    };
    key.frames("ok")
}

/// A client that takes 64 bytes again and again, waiting for each.
struct Reader {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<Vec<u8>>,
}

impl Reader {
    fn start(daemon: &Daemon) -> Self {
        let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
        let enough = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&enough);
        let thread = spawn(move || {
            let mut served = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                served.extend(client.take(64).expect("a waiting client is served"));
            }
            served
        });
        Self { enough, thread }
    }

    fn stop(self) -> Vec<u8> {
        self.enough.store(true, Ordering::Relaxed);
        self.thread.join().expect("the client was served throughout")
    }
}
