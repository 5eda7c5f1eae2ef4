//! Clients that do not read, send nothing, send garbage, vanish midway, or come by the thousand: the others get their
//! bytes, and the daemon leaks no descriptors.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use ekey_tests::KeyPlan;
use ekey_tests::await_until::{DEADLINE, await_until};
use ekey_tests::floods::{come_and_go, rude_clients, vanishing_clients};
use ekey_tests::load::{Habit, Load, allow_open_files};
use ekey_tests::serving::{USUAL, ours};
use ekey_tests::usage::open_descriptors;

const COUNT: u64 = 50_000;

#[test]
fn rude_clients_delay_no_other_client() {
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(10_000));
    allow_open_files(4000);
    let mut polite = Load::new().with(1000, Habit::steady(USUAL), &daemon.egd);
    let mut are_served = |when: &str| {
        let measured = polite.run_until_all_are_served();
        assert!(measured.is_flawless(), "{when}: {} polite clients were hung up on", measured.lost);
    };
    are_served("before");
    let held = rude_clients(&daemon.egd);
    // Clients that ask for 50 KB each and read nothing soon fill their kernel buffers.
    await_until("the silent readers' sockets to fill", || {
        let served = daemon.status(&scratch).count("/egd/0/served_bytes");
        are_served("with 1550 rude clients");
        (served > 50 * 10_000).then_some(())
    });
    drop(held);
    vanishing_clients(&daemon.egd);
    are_served("after 1000 vanished");
}

#[test]
fn fifty_thousand_passing_clients_delay_no_other() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(10_000));
    let mut polite = Load::new().with(1000, Habit::steady(USUAL), &daemon.egd);
    let egd = daemon.egd.clone();
    let flood = std::thread::spawn(move || (0..COUNT).for_each(|number| come_and_go(&egd, number)));
    let mut rounds = 0;
    while !flood.is_finished() || rounds == 0 {
        let measured = polite.run_until_all_are_served();
        assert!(measured.is_flawless(), "round {rounds}: {} polite clients were hung up on", measured.lost);
        rounds += 1;
    }
    flood.join().expect("each could connect");
}

#[test]
fn a_request_before_garbage_is_answered() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(1000));
    let mut stream = UnixStream::connect(&daemon.egd).expect("the EGD server takes a client");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    stream.write_all(&[0x02, 16, 0xff, 0x02, 16]).expect("the server listens");
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(ended.is_ok() || answer.len() == 16, "{ended:?} after {} bytes", answer.len());
    assert_eq!(answer.len(), 16, "bytes of the request before the garbage, and of none after it");
}

#[test]
fn fifty_thousand_connections_leak_nothing() {
    // A slow key, so that most of them leave while they wait.
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(100));
    let process = daemon.program.id();
    let row = |count: u32| {
        for number in 0..count {
            let mut stream = UnixStream::connect(&daemon.egd).expect("a connection");
            if number % 2 == 0 {
                drop(stream.write_all(&[0x02, 255]));
            }
        }
    };
    row(2000);
    settled(&daemon, &scratch);
    let descriptors = open_descriptors(process);
    row(50_000);
    settled(&daemon, &scratch);
    // The last of them may still be in the socket's queue; a leak does not go away by waiting.
    await_until("no more open descriptors than before", || (open_descriptors(process) <= descriptors).then_some(()));
}

/// Waits until the daemon has no clients and none waits.
fn settled(daemon: &ekey_tests::Daemon, scratch: &ekey_tests::Scratch) {
    await_until("all clients to leave", || {
        let status = daemon.status(scratch);
        (status.count("/egd/0/clients") == 0 && status.count("/egd/0/waiting") == 0).then_some(())
    });
}
