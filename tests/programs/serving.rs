//! The EGD server under load: ten thousand clients at once, and greedy ones next to modest ones. And answers in one piece, for
//! programs that read once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ekey_tests::await_until::DEADLINE;
use ekey_tests::load::{Habit, Load};
use ekey_tests::ports::free_port;
use ekey_tests::serving::{USUAL, ours, ours_with};
use ekey_tests::tls::TlsServer;
use ekey_tests::{KeyPlan, Scratch};

/// The key's own rate, in frames a second.
const NATURAL: u32 = 126;

#[test]
fn ten_thousand_clients_are_all_served() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key"));
    let mut load = Load::new().with(10_000, Habit::steady(USUAL), &daemon.egd);
    for round in 1..=3 {
        let measured = load.run_until_all_are_served();
        assert!(measured.is_flawless(), "round {round}: {} of 10000 clients were hung up on", measured.lost);
    }
}

#[test]
fn greedy_clients_do_not_starve_modest_ones() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(8000));
    for modest in [64, 16] {
        let (greedy, modest) = (Habit::greedy(), Habit::steady(modest));
        let mut load = Load::new().with(100, greedy, &daemon.egd).with(100, modest, &daemon.egd);
        for round in 1..=20 {
            let measured = load.run_until_all_are_served();
            assert!(measured.is_flawless(), "round {round}: {} clients were hung up on", measured.lost);
        }
    }
}

#[test]
fn a_client_that_reads_once_has_the_whole_answer() {
    let (port, folder) = (free_port(), Scratch::make());
    let socket = folder.path("expand.sock");
    let (_scratch, _key, daemon) = ours_with(&KeyPlan::named("key").rate(8000), |plan| {
        let expand = format!("[expand]\nlisten = [\"unix:{}\"]\n", socket.display());
        plan.extra(&expand).listen(&format!("tcp:127.0.0.1:{port}"))
    });
    assert_eq!(short_answers(&connected(&daemon.egd), 1000), Vec::<usize>::new(), "over a unix socket");
    let tcp = TcpStream::connect(("127.0.0.1", port)).expect("the EGD server takes a client");
    tcp.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    assert_eq!(short_answers(&tcp, 1000), Vec::<usize>::new(), "over TCP");
    assert_eq!(short_answers(&connected(&socket), 1000), Vec::<usize>::new(), "of [expand]");
}

#[test]
fn a_whole_answer_comes_over_tls() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(8000), |plan| plan);
    // openssl passes each record on with one write.
    assert_eq!(short_answers(server.client().stream(), 1000), Vec::<usize>::new());
}

#[test]
fn a_whole_answer_comes_among_a_hundred_others() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key"));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (greedy, modest) = (Habit::greedy(), Habit::steady(16));
            let mut load = Load::new().with(50, greedy, &daemon.egd).with(50, modest, &daemon.egd);
            while !done.load(Ordering::Relaxed) {
                assert_eq!(load.run_for(Duration::from_millis(100)).lost, 0, "clients hung up on");
            }
        });
        let short = short_answers(&connected(&daemon.egd), 1000);
        done.store(true, Ordering::Relaxed);
        assert_eq!(short, Vec::<usize>::new());
    });
}

#[test]
fn a_whole_answer_comes_at_the_natural_rate() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(NATURAL));
    assert_eq!(short_answers(&connected(&daemon.egd), 1000), Vec::<usize>::new());
}

#[test]
fn at_the_natural_rate_no_client_starves() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(NATURAL));
    let mut poller = connected(&daemon.egd);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // A client that does not wait takes nothing from those that do.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let mut count = [0];
                poller.write_all(&[0x01, 255]).expect("it takes a request");
                poller.read_exact(&mut count).expect("it answers at once");
                poller.read_exact(&mut vec![0; count[0].into()]).expect("it answers at once");
            }
        });
        let mut load = Load::new().with(100, Habit::steady(255), &daemon.egd);
        for round in 1..=2 {
            let measured = load.run_until_all_are_served();
            assert!(measured.is_flawless(), "round {round}: {} of 100 clients were hung up on", measured.lost);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn pipelined_requests_are_answered_whole() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(NATURAL));
    let mut client = connected(&daemon.egd);
    // As QEMU's rng-egd asks, for more than is there.
    client.write_all(&[0x02, USUAL].repeat(100)).expect("it takes the requests");
    let (mut bytes, mut came) = ([0; 8192], 0);
    while came < 100 * usize::from(USUAL) {
        let count = client.read(&mut bytes).expect("it answers");
        assert!(count > 0 && count % usize::from(USUAL) == 0, "{count} bytes at once, after {came}");
        came += count;
    }
}

fn connected(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("the EGD server takes a client");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    stream
}

/// Asks for 255 bytes as often as `times` says, and reads once for each answer. Returns the lengths of those that were shorter.
fn short_answers<S>(stream: &S, times: usize) -> Vec<usize>
where
    for<'s> &'s S: std::io::Read + std::io::Write,
{
    let mut lengths = Vec::new();
    for _ in 0..times {
        let (mut stream, mut answer) = (stream, [0; 255]);
        stream.write_all(&[0x02, 255]).expect("it takes a request");
        let count = stream.read(&mut answer).expect("it answers");
        lengths.push(count);
        stream.read_exact(&mut answer[count..]).expect("it answers in full");
    }
    lengths.retain(|length| *length < 255);
    lengths
}
