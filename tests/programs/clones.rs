//! Clones: after `forget` nothing of before is served, and two clones of a machine give different bytes.

use std::collections::HashSet;

use ekey_tests::blocks::{Account, read};
use ekey_tests::books::{OnTheWay, assert_books_add_up};
use ekey_tests::control::ControlClient;
use ekey_tests::egd::EgdClient;
use ekey_tests::egd_server::{EgdServer, Manner};
use ekey_tests::serving::ours_with;
use ekey_tests::tls::TlsServer;
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, await_until};

/// Bytes that each clone gives before they are compared.
const GIVEN: usize = 65_536;
/// Bytes of a piece that must not come from both.
const PIECE: usize = 16;

#[test]
fn after_forget_nothing_of_before_is_served() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(1000), |plan| plan);
    let TlsServer { daemon, scratch, key, .. } = &server;
    let mut plain = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    let over_tls = server.client();
    assert_eq!(over_tls.take(64).expect("a TLS client is served").len(), 64);
    assert_eq!(plain.take(64).expect("a client is served").len(), 64);
    await_until("a stock", || (daemon.status(scratch).count("/pool/bytes") > 16_384).then_some(()));
    let resets = daemon.status(scratch).key(0).resets();

    let before = read(&key.plain_log);
    let forget = daemon.ctl(scratch, &["forget"]);
    assert_eq!(forget.code, Some(0), "{forget:?}");
    assert!(forget.stdout.contains("bytes wiped"), "{forget:?}");
    let served: Vec<u8> = (0..64).flat_map(|_| plain.take(248).expect("the client stays, and is served")).collect();

    let old: HashSet<&[u8]> = before.windows(8).collect();
    let twice = served.windows(8).position(|window| old.contains(window));
    assert_eq!(twice, None, "a byte that came before is served after it, of {} served", served.len());
    await_until("the log of what was served", || {
        Account::of(&[read(&key.plain_log)]).book(&served).is_ok().then_some(())
    });
    assert_eq!(over_tls.rest(), b"", "the TLS session ends");
    assert_eq!(server.client().take(64).expect("a new TLS client is served").len(), 64);

    let status = daemon.status(scratch);
    assert_eq!(
        (status.count("/clones/forgotten"), status.at("/clones/last_reason")),
        (1, &"command".into()),
        "{status}"
    );
    assert!(status.count("/clones/forgotten_bytes") > 16_384, "{status}");
    assert!(status.key(0).resets() > resets, "a new session with the key: {status}");
    assert_books_add_up(&status, OnTheWay::Some);
    let screen = daemon.ctl(scratch, &["status"]).stdout;
    assert!(screen.lines().any(|line| line.contains("forgotten") && line.contains("1 time")), "{screen}");
    let log = daemon.program.stderr();
    assert_eq!(log.matches("everything held is wiped").count(), 1, "{log}");
}

#[test]
fn an_answer_that_waits_is_cut_by_forget() {
    let (scratch, _key, daemon) = ours_with(&KeyPlan::named("key").rate(8000), |plan| plan);
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    client.ask_without_reading(2000).expect("it takes requests");
    await_until("an answer that waits", || (daemon.status(&scratch).count("/egd/0/waiting_bytes") > 0).then_some(()));
    let mut control = ControlClient::connect(&daemon.control).expect("a connection");
    assert!(control.say("Forget").expect("an answer").ok());
    await_until("the client's end", || (daemon.status(&scratch).count("/egd/0/clients") == 0).then_some(()));
    let status = daemon.status(&scratch);
    assert_eq!(status.count("/egd/0/waiting_bytes"), 0, "{status}");
    assert!(status.count("/egd/0/dropped_bytes") > 0, "{status}");
    assert_books_add_up(&status, OnTheWay::Some);
}

#[test]
fn expand_and_combine_begin_anew_after_forget() {
    use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SECOND_SERIAL};
    let scratch = Scratch::make();
    let first = KeyPlan::named("first").rate(2000);
    let second = KeyPlan::named("second").rate(2000).identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY);
    let keys = [first.plug_in(&scratch), second.plug_in(&scratch)];
    let socket = scratch.path("expand.sock");
    let daemon = DaemonPlan::default()
        .key(&first, &keys[0])
        .key(&second, &keys[1])
        .egd_lines("combine = true")
        .egd()
        .extra(&format!("[expand]\nlisten = [\"unix:{}\"]\n", socket.display()))
        .start(&scratch);
    await_until("a seed", || (daemon.status(&scratch).count("/expand/seeds") > 0).then_some(()));
    let mut clients = [&daemon.egd, &socket].map(|path| EgdClient::connect(path).expect("it takes a client"));
    // 10 of a block of 16 are left to be forgotten.
    clients.iter_mut().for_each(|client| assert_eq!(client.take(10).expect("it serves").len(), 10));
    let seeds = daemon.status(&scratch).count("/expand/seeds");
    assert_eq!(daemon.ctl(&scratch, &["forget"]).code, Some(0));
    clients.iter_mut().for_each(|client| assert_eq!(client.take(64).expect("it serves again").len(), 64));
    let status = daemon.status(&scratch);
    assert!(status.count("/combine/ready_wiped_bytes") > 0 && status.count("/expand/wiped_bytes") > 0, "{status}");
    assert!(status.count("/expand/seeds") > seeds, "a seed of its own: {status}");
    assert_books_add_up(&status, OnTheWay::Some);
}

#[test]
fn what_was_fetched_before_forget_is_not_served() {
    let server = EgdServer::start(Manner::Serves);
    let scratch = Scratch::make();
    let daemon = DaemonPlan::default().egd().fetch_from(&[server.place()], "reserve-bytes = 4096").start(&scratch);
    await_until("the reserve", || (daemon.status(&scratch).count("/pool/bytes") >= 4096).then_some(()));
    let before = server.sent();
    assert_eq!(daemon.ctl(&scratch, &["forget"]).code, Some(0));
    let mut client = EgdClient::connect(&daemon.egd).expect("it takes a client");
    let served: Vec<u8> = (0..20).flat_map(|_| client.take(248).expect("it serves")).collect();
    let old: HashSet<&[u8]> = before.windows(8).collect();
    assert_eq!(served.windows(8).position(|window| old.contains(window)), None, "bytes that were fetched before");
    let status = daemon.status(&scratch);
    let found = ["reconnects", "failures"].map(|name| status.count(&format!("/egd_client/{name}")));
    assert_eq!(found, [1, 0], "a new connection, through no fault of the server: {status}");
    assert_books_add_up(&status, OnTheWay::Some);
}

#[test]
fn the_file_goes_on_with_fresh_bytes_after_forget() {
    let plan = KeyPlan::named("key").rate(2000);
    let ((scratch, key, mut daemon), output) = ekey_tests::serving::writing(&plan, Some(2000), |daemon| daemon);
    daemon.await_blocks(&output, 200);
    assert_eq!(daemon.ctl(&scratch, &["forget"]).code, Some(0));
    daemon.await_blocks(&output, 2000);
    await_until("the limit", || daemon.status(&scratch).at("/file/stopped").is_string().then_some(()));
    let status = daemon.status(&scratch);
    assert_eq!(status.count("/file/written_bytes"), 64_000, "{status}");
    assert_books_add_up(&status, OnTheWay::Some);
    let mut account = Account::of(&[read(&key.plain_log)]);
    assert_eq!(account.book(&read(&output)), Ok(()), "each byte once");
}

#[test]
fn two_clones_give_different_bytes() {
    assert_eq!(equal_pieces(DaemonPlan::clone_safe), 0, "equal pieces of {PIECE} bytes from two clones");
}

#[test]
fn without_clone_safe_two_clones_give_the_same() {
    assert!(equal_pieces(|plan| plan) > 0, "this shows that the test above can fail");
}

/// Returns how many pieces of 16 bytes come from both of two daemons whose keys send the same.
fn equal_pieces(more: impl Fn(DaemonPlan) -> DaemonPlan) -> usize {
    let given = [(); 2].map(|()| {
        let plan = KeyPlan::named("key").rate(2000).seed(4711);
        let (_scratch, key, daemon) = ours_with(&plan, &more);
        let given = taken(&daemon);
        await_until("enough of the key", || (read(&key.plain_log).len() >= GIVEN).then_some(()));
        given
    });
    let [one, other] = &given;
    let pieces: HashSet<&[u8]> = one.windows(PIECE).collect();
    other.windows(PIECE).filter(|piece| pieces.contains(piece)).count()
}

fn taken(daemon: &Daemon) -> Vec<u8> {
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    let mut given = Vec::new();
    while given.len() < GIVEN {
        given.extend(client.take(248).expect("it serves"));
    }
    given
}
