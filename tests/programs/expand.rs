//! The listener for expanded bytes: they are what the standard's generator makes of the key's bytes, no other client
//! gets them, they stop without a fresh seed, and the daemon says what they are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ekey_tests::blocks::{Account, read};
use ekey_tests::egd::EgdClient;
use ekey_tests::egd_server::{EgdServer, Manner};
use ekey_tests::load::{Habit, Load};
use ekey_tests::software_key::{SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, await_until, books, ctr_drbg};
use nix::sys::signal::Signal;

/// Bytes of a first seed: entropy input, nonce.
const SEED: [usize; 2] = [64, 32];
const READY: usize = 16_384;
/// What a system gives where `/dev/urandom` has only zeros.
const SYSTEM: [u8; 32] = [0; 32];

/// Checks that a client gets no byte before this key is plugged in, then its bytes.
fn is_seeded_by(plan: &KeyPlan, client: &mut EgdClient, daemon: &Daemon, scratch: &Scratch) {
    assert_eq!(client.take_available(255).expect("an answer").len(), 0, "bytes without the key");
    let _key = plan.plug_in(scratch);
    assert_eq!(client.take(64).expect("bytes of the key").len(), 64);
    books::assert_books_add_up(&daemon.status(scratch), books::OnTheWay::Some);
}

fn expanding(plan: DaemonPlan, scratch: &Scratch, lines: &str) -> (DaemonPlan, PathBuf) {
    let socket = scratch.path("expand.sock");
    (plan.extra(&format!("[expand]\nlisten = [\"unix:{}\"]\n{lines}\n", socket.display())), socket)
}

fn client(socket: &Path) -> EgdClient {
    await_until("the listener of [expand]", || EgdClient::connect(socket).ok())
}

fn await_seed(daemon: &Daemon, scratch: &Scratch) {
    await_until("a seed", || (daemon.status(scratch).at("/expand/seeded") == true).then_some(()));
}

/// Takes all that the pool has until it stays empty.
fn drain(daemon: &Daemon, scratch: &Scratch) {
    let mut drinker = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    await_until("an empty pool", || {
        while drinker.take_available(255).is_ok_and(|bytes| !bytes.is_empty()) {}
        (daemon.status(scratch).count("/pool/bytes") == 0).then_some(())
    });
}

#[test]
fn a_client_gets_what_openssl_derives_from_the_seed() {
    if !nix::unistd::geteuid().is_root() {
        return println!("only root can make the system's part of the seed known");
    }
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(50);
    let key = plan.plug_in(&scratch);
    let (daemon_plan, socket) = expanding(DaemonPlan::default().key(&plan, &key).egd(), &scratch, "");
    let daemon = daemon_plan.repeating_urandom().start(&scratch);
    let given = client(&socket).take(255).expect("bytes of the generator");
    assert_eq!(daemon.status(&scratch).count("/expand/seeds"), 1, "seeds in the first minute");
    let sent = read(&key.plain_log);
    // The seed is three consecutive blocks among the first.
    let made = sent.windows(SEED.iter().sum()).step_by(32).take(200).find_map(|seed| {
        let (entropy, nonce) = seed.split_at(SEED[0]);
        let personalization = [b"ekeyd [expand]".as_slice(), &SYSTEM].concat();
        let made = ctr_drbg::given(entropy, nonce, &personalization, &SYSTEM, &[READY]).remove(0);
        made.windows(32).any(|window| window == &given[..32]).then_some(made)
    });
    let made = made.expect("three consecutive blocks of the key seed the client's bytes");
    Account::of(&[made]).book(&given).expect("all of it is the generator's, and no byte repeats");
}

#[test]
fn pool_and_expanded_bytes_never_mix() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let (daemon_plan, socket) =
        expanding(DaemonPlan::default().key(&plan, &key).egd(), &scratch, "reseed-interval-s = 1");
    let daemon = daemon_plan.start(&scratch);
    await_seed(&daemon, &scratch);
    let mut full = Load::new().with(10, Habit::steady(64), &daemon.egd).keeping();
    let mut expanded = Load::new().with(10, Habit::at_intervals(255, Duration::from_millis(20)), &socket).keeping();
    let bytes = |load: &Load| load.given().map(<[u8]>::len).sum::<usize>() as u64;
    await_until("enough of both, and three seeds at one a second", || {
        let _ = full.run_for(Duration::from_millis(200));
        let _ = expanded.run_for(Duration::from_millis(200));
        let is_enough = bytes(&full) > 10_000 && bytes(&expanded) > 50_000;
        (is_enough && daemon.status(&scratch).count("/expand/seeds") >= 3).then_some(())
    });
    full.await_answers();
    expanded.await_answers();
    let status = daemon.status(&scratch);
    let (full_bytes, expanded_bytes) = (bytes(&full), bytes(&expanded));
    let (full_booked, booked) = (status.count("/egd/0/served_bytes"), status.count("/expand/listeners/0/served_bytes"));
    assert_eq!((full_booked, booked), (full_bytes, expanded_bytes), "bytes booked, and bytes that came");
    books::assert_books_add_up(&status, books::OnTheWay::Some);
    assert_eq!(status.root()["egd"].as_array().map(Vec::len), Some(1), "the listener of [expand] is among the others");

    let sent = read(&key.plain_log);
    let mut account = Account::of(std::slice::from_ref(&sent));
    for given in full.given() {
        account.book(given).expect("a client of [egd] gets what the key sent, once");
    }
    // Each byte is compared with those of the pool's clients, of the key, and of the other listener.
    let mut seen: std::collections::HashSet<&[u8]> = sent.windows(8).collect();
    for given in expanded.given() {
        let known = given.windows(8).position(|window| !seen.insert(window));
        assert_eq!(known, None, "a client of [expand] got what the key sent, or what another got");
    }
}

#[test]
fn it_says_everywhere_that_it_is_not_full_entropy() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(500);
    let key = plan.plug_in(&scratch);
    let (daemon_plan, socket) = expanding(DaemonPlan::default().key(&plan, &key).egd(), &scratch, "");
    let mut daemon = daemon_plan.start(&scratch);
    await_seed(&daemon, &scratch);
    let mut client = client(&socket);
    let mut bits = Vec::new();
    for _ in 0..4 {
        bits.push(client.available_bits().expect("an answer"));
        assert_eq!(client.take_available(16).expect("an answer").len(), 16, "bytes are given all the same");
    }
    assert_eq!(bits, [256, 128, 0, 0], "bits reported, with 16 bytes taken between");
    let full = EgdClient::connect(&daemon.egd).and_then(|mut client| client.available_bits()).expect("an answer");
    assert!(full > 256, "the pool says that it has {full} bits");
    let status = daemon.status(&scratch);
    assert_eq!(status.at("/expand/full_entropy"), false);
    let screen = daemon.ctl(&scratch, &["status"]).stdout;
    assert!(screen.contains("expand    NOT FULL ENTROPY") && screen.lines().count() < 24, "{screen}");
    daemon.program.signal(Signal::SIGTERM);
    let _ = daemon.program.wait();
    assert!(daemon.program.stderr().contains("not full entropy"), "{}", daemon.program.stderr());
}

#[test]
fn without_a_fresh_seed_it_gives_nothing() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(100);
    let mut key = plan.plug_in(&scratch);
    key.program.kill();
    let (daemon_plan, socket) =
        expanding(DaemonPlan::default().key(&plan, &key).egd(), &scratch, "reseed-interval-s = 1");
    let daemon = daemon_plan.start(&scratch);
    let mut client = client(&socket);
    assert_eq!(client.available_bits().expect("an answer"), 0, "bits without a seed");
    assert_eq!(client.take_available(255).expect("an answer").len(), 0, "bytes without a seed");
    let problem = daemon.status(&scratch).at("/expand/problem").to_string();
    assert!(problem.contains("no seed yet"), "{problem}");

    let mut key = plan.plug_in(&scratch);
    assert_eq!(client.take(64).expect("bytes once there is a key").len(), 64);
    key.program.kill();
    drain(&daemon, &scratch);
    await_until("an overdue seed", || {
        daemon.status(&scratch).at("/expand/problem").as_str().filter(|text| text.contains("for too long")).map(drop)
    });
    assert_eq!(client.take_available(255).expect("an answer").len(), 0, "bytes of a seed that is overdue");
    let screen = daemon.ctl(&scratch, &["status"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains("had no fresh seed for too long"), "the screen does not say why nothing comes: {screen}");
    let _key = plan.plug_in(&scratch);
    assert_eq!(client.take(64).expect("bytes once there is a fresh seed").len(), 64);
}

#[test]
fn fetched_bytes_never_seed() {
    let scratch = Scratch::make();
    let server = EgdServer::start(Manner::Serves);
    let plan = KeyPlan::named("key").rate(500);
    let mut key = plan.plug_in(&scratch);
    key.program.kill();
    let fetching = DaemonPlan::default().key(&plan, &key).egd().fetch_from(&[server.place()], "");
    let (daemon_plan, socket) = expanding(fetching, &scratch, "");
    let daemon = daemon_plan.start(&scratch);
    let mut client = client(&socket);
    await_until("fetched bytes in the pool", || (daemon.status(&scratch).count("/pool/bytes") >= 128).then_some(()));
    is_seeded_by(&plan, &mut client, &daemon, &scratch);
}

#[test]
fn one_of_combined_keys_alone_never_seeds() {
    let scratch = Scratch::make();
    let first = KeyPlan::named("first").rate(500);
    let second = KeyPlan::named("second").rate(500).identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY);
    let first_key = first.plug_in(&scratch);
    let mut second_key = second.plug_in(&scratch);
    second_key.program.kill();
    let both = DaemonPlan::default().key(&first, &first_key).key(&second, &second_key);
    let (daemon_plan, socket) = expanding(both.egd_lines("combine = true").egd(), &scratch, "");
    let daemon = daemon_plan.start(&scratch);
    await_until("bytes of one key", || (daemon.status(&scratch).count("/pool/received_bytes") >= 1024).then_some(()));
    let mut client = client(&socket);
    is_seeded_by(&second, &mut client, &daemon, &scratch);
}

#[test]
fn a_key_that_fails_its_test_costs_its_seed() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(1000).bad_source("constant:30");
    let key = plan.plug_in(&scratch);
    let (daemon_plan, _socket) = expanding(DaemonPlan::default().key(&plan, &key).egd(), &scratch, "");
    let daemon = daemon_plan.start(&scratch);
    await_until("the key to be retired", || daemon.status(&scratch).key(0).failed_test().map(drop));
    let log = await_until("the daemon to forget the seed", || {
        Some(daemon.program.stderr()).filter(|log| log.contains("[expand] has discarded its seed"))
    });
    assert!(log.contains("[expand] is seeded"), "{log}");
}

#[test]
fn the_limits_of_egd_hold_for_expanded_bytes() {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let limits = "clients-per-peer = 20\nbytes-per-s-per-peer = 20000\nburst-bytes-per-peer = 4000";
    let plan = DaemonPlan::default().key(&plan, &key).egd_lines(limits).egd();
    let (daemon_plan, socket) = expanding(plan, &scratch, "");
    let daemon = daemon_plan.start(&scratch);
    await_seed(&daemon, &scratch);
    let mut load = Load::new().with(20, Habit::greedy(), &socket);
    let mut refused = EgdClient::connect(&socket).expect("a connection is taken and closed");
    assert!(refused.take(8).is_err(), "a client over the limit got bytes");
    let mut other = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    assert_eq!(other.take(8).expect("[egd] counts its own clients").len(), 8);
    let measured = load.run_until_all_are_served();
    assert!(measured.is_flawless(), "{} clients were hung up on", measured.lost);
    await_until("clients that wait despite a seeded generator", || {
        let status = daemon.status(&scratch);
        (status.count("/expand/listeners/0/waiting") == 20 && status.at("/expand/seeded") == true).then_some(())
    });
    let status = daemon.status(&scratch);
    assert_eq!((status.count("/expand/listeners/0/refused"), status.count("/egd/0/refused")), (1, 0));
}
