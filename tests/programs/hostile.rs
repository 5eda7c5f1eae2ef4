//! What a client can do to the daemon, and what it must not gain by it.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use ekey_tests::await_until::DEADLINE;
use ekey_tests::control::ControlClient;
use ekey_tests::egd::EgdClient;
use ekey_tests::floods::{Flood, key_of_garbage};
use ekey_tests::http::{self, Observed};
use ekey_tests::ports::free_port;
use ekey_tests::serving::{running, writing};
use ekey_tests::{DaemonPlan, KeyPlan, Program, Scratch, await_until, binaries, blocks, peer};
use nix::sys::signal::Signal;

/// More connections than the control socket has places for.
const CROWD: usize = 100;

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

#[test]
fn idle_control_clients_keep_no_one_out() {
    if let Some(control) = peer::as_peer() {
        return crowd_as_peer(&control);
    }
    let port = free_port();
    let (scratch, _key, mut daemon) = running(&KeyPlan::named("key").rate(126), |plan| plan.control_tcp(port));
    let crowd: Vec<_> = (0..CROWD).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("a connection")).collect();
    let is_served = || ControlClient::connect(&daemon.control).expect("a place").say("Status").expect("a reply").ok();
    assert!(is_served(), "with idle connections to the port");
    assert!(status_at(port).starts_with("*\t{"), "a newcomer at the port");
    if peer::is_possible() {
        let test = "hostile::idle_control_clients_keep_no_one_out";
        let command = peer::command(test, &[&daemon.control], &daemon, &scratch);
        let mut peer = Program::spawn("peer", command, &scratch);
        peer.await_while_running("the crowd", || peer_says(&scratch, "crowded").then_some(()));
        assert!(is_served(), "with idle connections of another user");
        peer.kill();
    }
    drop(crowd);
    daemon.await_state(&scratch, "running");
    let log = daemon.program.stderr();
    assert!(log.lines().filter(|line| line.contains("too many connections")).count() <= 20, "{log}");
}

/// Takes every place that a user can, as the peer, and stays.
fn crowd_as_peer(control: &Path) {
    let _crowd: Vec<_> = (0..CROWD).map(|_| UnixStream::connect(control).expect("a connection")).collect();
    let mut client = ControlClient::connect(control).expect("a newcomer gets a place");
    assert!(client.say("Status").expect("a reply").ok());
    println!("crowded");
    std::thread::sleep(DEADLINE);
}

fn peer_says(scratch: &Scratch, word: &str) -> bool {
    fs::read_to_string(scratch.path("peer.stdout")).is_ok_and(|said| said.contains(word))
}

/// Asks the control port for the status. Returns the reply's first line.
fn status_at(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    stream.write_all(b"Status\n").expect("it is taken");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    assert_eq!(lines.next().as_deref(), Some("PROTOCOL EKEYD/1"));
    lines.next().expect("a reply")
}

#[test]
fn outsiders_cause_few_lines_of_the_log() {
    if let Some(control) = peer::as_peer() {
        return flood_as_peer(&control);
    }
    let scratch = Scratch::make();
    let port = free_port();
    let plan = KeyPlan::named("key").rate(1000);
    let Observed { mut daemon, address, key: _key } = Observed::start(&scratch, &plan, |plan| plan.control_tcp(port));
    daemon.await_state(&scratch, "running");
    let before = daemon.program.stderr().lines().count();
    fs::write(scratch.path("ports"), format!("{port} {}", address.port())).expect("a scratch file");
    fs::set_permissions(scratch.path("ports"), fs::Permissions::from_mode(0o644)).expect("a file of its own");
    if peer::is_possible() {
        let test = "hostile::outsiders_cause_few_lines_of_the_log";
        let command = peer::command(test, &[&daemon.control, &daemon.egd], &daemon, &scratch);
        let finished = Program::run("peer", command, &scratch);
        assert_eq!(finished.code, Some(0), "{finished:?}");
    } else {
        flood_as_peer(&daemon.control);
    }
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    assert_eq!(client.take(64).expect("it is served").len(), 64);
    assert_eq!(http::get(address, "/status.json", "").code, 200);
    daemon.await_state(&scratch, "running");
    let log = daemon.program.stderr();
    let lines: Vec<_> = log.lines().skip(before).collect();
    assert!(lines.len() <= 40, "{} lines: {:#?}", lines.len(), &lines[..40]);
}

/// Connects to all listeners again and again, says garbage or nothing, and leaves. Holds some connections all the time.
fn flood_as_peer(control: &Path) {
    const ROUNDS: usize = 5000;
    const GARBAGE: [&[u8]; 4] = [b"", b"\x1b[2J\0\xff\n", b"Shutdown\nShutdown\n", &[b'x'; 5000]];
    let folder = control.parent().expect("a folder");
    let egd = folder.join("egd.sock");
    let ports = fs::read_to_string(folder.join("ports")).expect("the daemon's ports");
    let ports: Vec<u16> = ports.split(' ').map(|port| port.parse().expect("a port")).collect();
    let mut held_unix = std::collections::VecDeque::new();
    let mut held_tcp = std::collections::VecDeque::new();
    for round in 0..ROUNDS {
        let words = GARBAGE[round % GARBAGE.len()];
        for path in [control, control, control, &egd] {
            let mut stream = UnixStream::connect(path).expect("a connection");
            // The daemon may hang up at once.
            let _ = stream.write_all(words);
            held_unix.push_back(stream);
        }
        for port in &ports {
            let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).expect("a connection");
            let _ = stream.write_all(words);
            held_tcp.push_back(stream);
        }
        held_unix.drain(..held_unix.len().saturating_sub(4 * CROWD));
        held_tcp.drain(..held_tcp.len().saturating_sub(2 * CROWD));
    }
}

#[test]
fn a_stalled_log_delays_neither_clients_nor_the_end() {
    let scratch = Scratch::make();
    let pipe = scratch.path("log");
    let mut mkfifo = Command::new("mkfifo");
    mkfifo.arg(&pipe);
    assert_eq!(Program::run("mkfifo", mkfifo, &scratch).code, Some(0));
    let flags = nix::libc::O_NONBLOCK;
    let mut log = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&pipe).expect("both ends");
    while log.write(&[b'x'; 4096]).is_ok() {}
    let program = from_shell(&scratch, "export EKEYD_LOG=debug", &format!("2>>{pipe:?}"));
    let plan = KeyPlan::named("key").rate(1000);
    let key = plan.plug_in(&scratch);
    let mut daemon = DaemonPlan::default().key(&plan, &key).egd().program(&program).start(&scratch);
    daemon.await_state(&scratch, "running");
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    for _ in 0..100 {
        assert_eq!(client.take(64).expect("it is served").len(), 64);
        drop(ControlClient::connect(&daemon.control).expect("a place"));
    }
    daemon.program.signal(Signal::SIGTERM);
    assert_eq!(daemon.program.wait().code(), Some(0), "how it ended");
    // What the pipe holds is what this test wrote: the daemon did hang in its first line.
    let mut held = Vec::new();
    let _ = log.read_to_end(&mut held);
    assert!(!held.is_empty() && held.iter().all(|byte| *byte == b'x'), "the pipe was not full");
}

#[test]
fn too_few_descriptors_cause_few_lines_of_the_log() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&scratch);
    let program = from_shell(&scratch, "ulimit -n 40", "");
    let mut daemon = DaemonPlan::default().key(&plan, &key).program(&program).start(&scratch);
    daemon.await_state(&scratch, "running");
    let failures = |daemon: &ekey_tests::Daemon| daemon.program.stderr().matches("cannot accept").count();
    // Each round takes the last descriptor and gives it back.
    for _ in 0..200 {
        let crowd: Vec<_> = (0..48).map(|_| UnixStream::connect(&daemon.control).expect("a connection")).collect();
        await_until("a failure", || (failures(&daemon) > 0).then_some(()));
        drop(crowd);
        assert!(ControlClient::connect(&daemon.control).expect("a place").say("Status").expect("a reply").ok());
    }
    daemon.await_state(&scratch, "running");
    assert!(failures(&daemon) <= 10, "{}", daemon.program.stderr());
}

/// Returns a script that runs these commands and then the daemon, with its output sent elsewhere.
fn from_shell(scratch: &Scratch, commands: &str, to: &str) -> PathBuf {
    let ekeyd = binaries::built("ekeyd");
    scratch.write("ekeyd", &format!("#!/bin/sh\n{commands}\nexec {ekeyd:?} \"$@\" {to}\n"), 0o755)
}
