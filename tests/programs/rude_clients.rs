//! Clients that do not read, say nothing, send garbage, vanish in the middle, or come by the thousand: the others get their
//! bytes as soon as ever, and the daemon keeps neither memory nor descriptors.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ekey_tests::load::{Habit, Load, allow_open_files};
use ekey_tests::priority::{prefer, prefer_this_thread};
use ekey_tests::rude::beside;
use ekey_tests::serving::{USUAL, ours};
use ekey_tests::tries::{due, once_in_three};
use ekey_tests::usage::{memory, open_descriptors};
use ekey_tests::{KeyPlan, await_until};

/// Measurements disturb each other, so they take turns.
static TURN: Mutex<()> = Mutex::new(());
/// What rounding and other work on the machine may add to a usual answer's time.
const CHANCE: Duration = Duration::from_micros(10);
/// So many times as long may an answer take while others come and go.
const MOST: f64 = 1.2;
/// The same of late answers while all processors are busy: then they are the scheduler's as much as the daemon's.
const MOST_LATE: f64 = 2.0;
const COUNT: u64 = 50_000;
/// Connections a second at which a machine of two processors still has time to spare.
const PACE: u32 = 10_000;

#[test]
fn rude_clients_do_not_slow_down_the_others() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    once_in_three(beside_those_who_stay);
}

/// What the others notice of rude clients that stay, and of those that have left.
fn beside_those_who_stay() -> Result<(), String> {
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(10_000));
    prefer(&[daemon.program.id()]);
    prefer_this_thread();
    allow_open_files(4000);
    let habit = Habit::at_intervals(USUAL, Duration::from_millis(500));
    let mut polite = Load::new().with(1000, habit, &daemon.egd);
    let mut usual = || {
        let runs = [(); 3].map(|()| {
            let measured = polite.run_for(Duration::from_millis(700));
            assert!(measured.is_flawless(), "{} polite clients were hung up on", measured.lost);
            measured.percentile(50)
        });
        runs.into_iter().min().expect("three runs")
    };
    let before = usual();
    let held = [
        many(50, &daemon.egd, |stream| drop(stream.write_all(&[0x02, 255].repeat(200)))),
        many(500, &daemon.egd, |_| {}),
        many(500, &daemon.egd, |stream| drop(stream.write_all(&[0x02]))),
        many(500, &daemon.egd, |stream| drop(stream.write_all(b"GET / HTTP/1.1\r\n\r\n"))),
    ];
    // Those that ask for 50 KB each and read nothing have soon got what the kernel holds for them.
    await_until("the deaf to be full", Duration::from_secs(20), || {
        (daemon.status(&scratch).count("/egd/0/waiting") == 0).then_some(())
    });
    let deaf = usual();
    drop(held);
    // These ask, and are gone before the answer is.
    for _ in 0..1000 {
        drop(many(1, &daemon.egd, |stream| drop(stream.write_all(&[0x02, 255, 0x02]))));
    }
    let after = usual();
    [("with 1550 rude clients", deaf), ("after 1000 vanished", after)].into_iter().try_for_each(|(what, seen)| {
        due(seen <= before.mul_f64(MOST) + CHANCE, || {
            format!("a usual answer takes {seen:?} {what}, due is at most {MOST} times the {before:?} before")
        })
    })
}

#[test]
fn while_fifty_thousand_come_and_go_the_others_are_answered_as_soon_as_ever() {
    beside_a_flood(PACE, MOST);
}

#[test]
#[ignore = "on two processors it measures the scheduler; bench-egd prints the figure"]
fn while_fifty_thousand_come_and_go_as_fast_as_they_can_the_usual_answer_waits_for_none_of_them() {
    beside_a_flood(u32::MAX, MOST_LATE);
}

/// Answers may take [`MOST`] times as long, and late ones `most_late` times, while so many come and go at `pace`.
fn beside_a_flood(pace: u32, most_late: f64) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    once_in_three(|| {
        let noticed = beside(COUNT, pace);
        println!("{noticed}");
        assert!(noticed.connections >= COUNT, "{noticed}");
        let (usual, late) = noticed.ratios();
        due(usual <= MOST && late <= most_late, || format!("{noticed}; due are at most {MOST} and {most_late} times"))
    });
}

#[test]
fn garbage_is_hung_up_on_and_a_request_before_it_is_answered() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(1000));
    let mut stream = UnixStream::connect(&daemon.egd).expect("the EGD server takes a client");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
    stream.write_all(&[0x02, 16, 0xff, 0x02, 16]).expect("the server listens");
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    assert!(ended.is_ok() || answer.len() == 16, "{ended:?} after {} bytes", answer.len());
    assert_eq!(answer.len(), 16, "bytes of the request before the garbage, and of none after it");
}

#[test]
fn fifty_thousand_connections_in_a_row_leave_nothing_behind() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // A key that is slow, so that most of them leave while they wait.
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(100));
    let process = daemon.program.id();
    let row = |count: u32| {
        for number in 0..count {
            let mut stream = connect(&daemon.egd);
            if number % 2 == 0 {
                drop(stream.write_all(&[0x02, 255]));
            }
        }
    };
    row(2000);
    settled(&daemon, &scratch);
    let (descriptors, before) = (open_descriptors(process), memory(process).own);
    let started = Instant::now();
    row(50_000);
    println!("50000 connections in {:.2} s", started.elapsed().as_secs_f64());
    settled(&daemon, &scratch);
    // The last of them may still be in the socket's queue; what is kept for good does not go away by waiting.
    await_until("no more open descriptors than before", Duration::from_secs(10), || {
        (open_descriptors(process) <= descriptors).then_some(())
    });
    let after = memory(process).own;
    assert!(after <= before + 512, "the daemon has {after} KB, due are at most 512 KB more than {before} KB");
}

/// Waits until the daemon has no clients and nobody waits.
fn settled(daemon: &ekey_tests::Daemon, scratch: &ekey_tests::Scratch) {
    await_until("all clients to be gone", Duration::from_secs(10), || {
        let status = daemon.status(scratch);
        (status.count("/egd/0/clients") == 0 && status.count("/egd/0/waiting") == 0).then_some(())
    });
}

fn many(count: usize, path: &Path, mut say: impl FnMut(&mut UnixStream)) -> Vec<UnixStream> {
    let one = |_| {
        let mut stream = connect(path);
        stream.set_nonblocking(true).expect("a socket can be told not to block");
        say(&mut stream);
        stream
    };
    (0..count).map(one).collect()
}

fn connect(path: &Path) -> UnixStream {
    // A blocking connection waits for room in the server's queue by itself.
    UnixStream::connect(path).unwrap_or_else(|error| panic!("cannot connect to {}: {error}", path.display()))
}
