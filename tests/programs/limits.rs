//! The limits of the EGD server: who may connect, how often, how much each client gets, and that the kernel's demand
//! comes first.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ekey_tests::await_until::{DEADLINE, assert_stays, await_until};
use ekey_tests::egd::EgdClient;
use ekey_tests::load::{Habit, Load};
use ekey_tests::ports::free_port;
use ekey_tests::serving::{USUAL, ours, ours_with};
use ekey_tests::{KeyPlan, blocks};

#[test]
fn an_idle_client_is_dropped_a_waiting_one_is_not() {
    let plan = KeyPlan::named("key").rate(1);
    let (scratch, _key, daemon) = ours_with(&plan, |plan| plan.egd_lines("idle-timeout-s = 1"));
    let mut idle = UnixStream::connect(&daemon.egd).expect("the EGD server takes a client");
    idle.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    let mut half = UnixStream::connect(&daemon.egd).expect("the EGD server takes a client");
    half.write_all(&[0x02]).expect("the server listens");
    let mut waits = UnixStream::connect(&daemon.egd).expect("the EGD server takes a client");
    waits.write_all(&[0x02, 255]).expect("the server listens");
    for (what, stream) in [("idle", &mut idle), ("half-open", &mut half)] {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        assert_eq!(stream.read(&mut [0; 1]).expect("the server hangs up"), 0, "what the {what} client got");
    }
    // At 32 bytes a second this takes eight times the idle limit.
    waits.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    waits.read_exact(&mut [0; 255]).expect("a waiting client gets all its bytes");
    let status = daemon.status(&scratch);
    assert!(status.count("/egd/0/dropped_idle") >= 2, "{status}");
}

#[test]
fn a_silent_client_stays_if_nothing_is_configured() {
    let (_scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(1000));
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    client.take(8).expect("the server answers");
    assert_stays(Duration::from_secs(3), || Ok(()));
    assert_eq!(client.take(8).expect("the server still answers").len(), 8);
}

#[test]
fn one_client_over_the_peers_limit_is_refused() {
    let plan = KeyPlan::named("key").rate(1000);
    let (scratch, _key, daemon) = ours_with(&plan, |plan| plan.egd_lines("clients-per-peer = 3"));
    await_until("room for three", || (daemon.status(&scratch).count("/egd/0/clients") == 0).then_some(()));
    let mut held = [(); 3].map(|()| EgdClient::connect(&daemon.egd).expect("the EGD server takes a client"));
    held.iter_mut().for_each(|client| assert_eq!(client.take(8).expect("the server answers").len(), 8));
    let mut refused = EgdClient::connect(&daemon.egd).expect("a connection is taken and closed");
    assert!(refused.take(8).is_err(), "a fourth client got bytes");
    assert_eq!(daemon.status(&scratch).count("/egd/0/refused"), 1);
    drop(held);
    await_until("a place that has become free", || EgdClient::connect(&daemon.egd).ok()?.take(8).ok());
}

#[test]
fn idle_clients_of_one_peer_keep_no_other_out() {
    const CROWD: usize = 50;
    let port = free_port();
    let (_scratch, _key, daemon) = ours_with(&KeyPlan::named("key").rate(1000), |plan| {
        plan.listen(&format!("tcp:127.0.0.1:{port}")).egd_lines("max-clients = 20")
    });
    let connect = |_| TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let mut crowd: Vec<TcpStream> = (0..CROWD).map(connect).collect();
    crowd.iter().for_each(|client| client.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set"));
    // The server closes those that came when it was full.
    assert_eq!(crowd[CROWD - 1].read(&mut [0; 1]).expect("the server hangs up"), 0);
    let mut other = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    assert_eq!(other.take(64).expect("another peer is served").len(), 64);
    let is_served =
        |client: &mut TcpStream| client.write_all(&[0x00]).is_ok() && client.read_exact(&mut [0; 4]).is_ok();
    let served = crowd.iter_mut().filter_map(|client| is_served(client).then_some(())).count();
    assert!((1..20).contains(&served), "{served} of the crowd are connected");
    assert_eq!(other.take(64).expect("it is still served").len(), 64);
}

#[test]
fn after_its_burst_a_peer_waits_despite_a_full_pool() {
    const BURST: u64 = 4000;
    let plan = KeyPlan::named("key").rate(4000);
    let lines = format!("bytes-per-s-per-peer = 500\nburst-bytes-per-peer = {BURST}");
    let (scratch, _key, daemon) = ours_with(&plan, |plan| plan.egd_lines(&lines).pool(16_384));
    let mut load = Load::new().with(20, Habit::greedy(), &daemon.egd);
    // The burst goes to the clients that ask first, and the rate to all of them.
    let measured = load.run_until_all_are_served();
    assert!(measured.is_flawless(), "{} clients were hung up on", measured.lost);
    assert!(measured.bytes.iter().sum::<u64>() >= BURST, "{:?}", measured.bytes);
    await_until("clients that wait despite a full pool", || {
        let status = daemon.status(&scratch);
        (status.count("/egd/0/waiting") == 20 && status.count("/pool/bytes") > 10_000).then_some(())
    });
}

#[test]
fn a_peer_that_is_not_allowed_gets_nothing() {
    let plan = KeyPlan::named("key").rate(1000);
    let port = free_port();
    // A user that does not run this test.
    let lines = format!("allow-networks = [\"127.0.0.2\"]\nallow-users = [{}]", nix::unistd::geteuid().as_raw() + 1);
    let scratch = ekey_tests::Scratch::make();
    let key = plan.plug_in(&scratch);
    let daemon = ekey_tests::DaemonPlan::default()
        .key(&plan, &key)
        .egd_lines(&lines)
        .listen(&format!("tcp:127.0.0.1:{port}"))
        .egd()
        .start(&scratch);
    let mut user = EgdClient::connect(&daemon.egd).expect("a connection is taken and closed");
    assert!(user.take(8).is_err(), "a user that is not allowed got bytes");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection is taken and closed");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    drop(stream.write_all(&[0x04]));
    assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)), "an address that is not allowed got an answer");
    let status = daemon.status(&scratch);
    assert!(status.count("/egd/0/denied") >= 1 && status.count("/egd/1/denied") == 1, "{status}");
}

#[test]
fn the_kernel_gets_its_share_before_waiting_clients() {
    let plan = KeyPlan::named("key").rate(500);
    let (scratch, _key, daemon) = ours_with(&plan, |plan| plan.uncredited_kernel("enabled = true\ninterval-s = 1"));
    let mut load = Load::new().with(100, Habit::greedy(), &daemon.egd);
    let mixed = || daemon.status(&scratch).count("/kernel/mixed_bytes");
    // 64 bytes an interval, the whole interval while the pool is empty.
    let goal = mixed() + 5 * 64;
    await_until("the kernel's next five shares", || {
        let measured = load.run_for(Duration::from_millis(100));
        assert_eq!(measured.lost, 0, "clients hung up on");
        (mixed() >= goal).then_some(())
    });
    assert!(daemon.status(&scratch).count("/egd/0/waiting") > 0, "no client waits, so nothing was scarce");
}

#[test]
fn the_file_gets_its_share_despite_greedy_clients() {
    let plan = KeyPlan::named("key").rate(2000);
    let scratch = ekey_tests::Scratch::make();
    let key = plan.plug_in(&scratch);
    let output = scratch.path("entropy");
    let daemon = ekey_tests::DaemonPlan::default()
        .key(&plan, &key)
        .file(&output, None)
        .egd_lines("share-percent = 75")
        .egd()
        .start(&scratch);
    let mut load = Load::new().with(20, Habit::greedy(), &daemon.egd);
    let given = || {
        let status = daemon.status(&scratch);
        ["/file/given_bytes", "/egd/0/served_bytes"].map(|place| status.count(place))
    };
    let before = given();
    let after = await_until("both to have got 20,000 bytes", || {
        let measured = load.run_for(Duration::from_millis(100));
        assert_eq!(measured.lost, 0, "clients hung up on");
        let now = given();
        now.iter().zip(before).all(|(now, before)| *now >= before + 20_000).then_some(now)
    });
    // The kernel's counter shows that they arrive.
    await_until("the file's share to be written", || (blocks::read(&output).len() as u64 >= after[0]).then_some(()));
}

#[test]
fn offered_bytes_reach_the_kernel_only_if_configured() {
    for (line, mixed) in [("offered = \"ignore\"", 0), ("offered = \"mix\"", 255 + u64::from(USUAL))] {
        let plan = KeyPlan::named("key").rate(1000);
        let (scratch, _key, daemon) = ours_with(&plan, |plan| plan.egd_lines(line));
        let mut stream = UnixStream::connect(&daemon.egd).expect("the EGD server takes a client");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
        for count in [255, USUAL, 0] {
            stream.write_all(&[0x03, 0x00, 0x08, count]).expect("the server listens");
            stream.write_all(&vec![0x02; usize::from(count)]).expect("the server listens");
        }
        stream.write_all(&[0x04]).expect("the server listens");
        let mut length = [0; 1];
        stream.read_exact(&mut length).expect("the request after the offers is answered");
        assert_eq!(
            usize::from(length[0]),
            daemon.program.id().to_string().len(),
            "the length of the daemon's process id"
        );
        assert_eq!(daemon.status(&scratch).count("/offered_bytes"), mixed, "bytes mixed with {line}");
    }
}
