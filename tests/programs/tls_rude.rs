//! Garbage and broken clients at a TLS port: none gets a byte, stays for long, or delays the others.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use ekey_tests::KeyPlan;
use ekey_tests::await_until::{DEADLINE, await_until};
use ekey_tests::egd::EgdClient;
use ekey_tests::floods::{Flood, unfinished_handshakes};
use ekey_tests::tls::TlsServer;

/// The beginning of a record with a ClientHello, up to its length: 512 bytes follow.
const HELLO: [u8; 5] = [0x16, 0x03, 0x01, 0x02, 0x00];

#[test]
fn garbage_and_plain_egd_get_no_entropy() {
    let server = start("");
    for (number, (what, words)) in (1..).zip([
        ("plain EGD", &[0x02, 64][..]),
        ("another request", &[0x00, 0x01, 32, 0x04]),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n"),
        ("zeroes", &[0; 3000]),
        ("a record of nothing", &[0x16, 0x03, 0x01, 0x00, 0x00]),
        ("application data", &[0x17, 0x03, 0x03, 0x00, 0x02, 0x02, 0x40]),
    ]) {
        let mut stream = connect(&server);
        stream.write_all(words).expect("the server listens");
        // Two bytes may be the beginning of anything, until the deadline.
        stream.shutdown(Shutdown::Write).expect("it exists");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let is_alert = |answer: &[u8]| answer.len() == 7 && answer[0] == 0x15;
        assert!(answer.is_empty() || is_alert(&answer), "{what} was answered with {answer:02x?}");
        await_until("the daemon to drop it", || {
            (server.count("tls/refused") + server.count("tls/unfinished") == number).then_some(())
        });
    }
    assert_eq!((server.count("served_bytes"), server.count("other_bytes")), (0, 0));
    assert_eq!(server.client().take(64).expect("an honest client is served").len(), 64);
}

#[test]
fn a_client_that_vanishes_mid_handshake_is_dropped() {
    let server = start("");
    for length in [0, 1, 5, 200] {
        let mut stream = connect(&server);
        stream.write_all(&[&HELLO[..], &[0x01; 300]].concat()[..length]).expect("the server listens");
    }
    await_until("all to leave", || (server.count("tls/unfinished") == 4).then_some(()));
    assert_eq!((server.count("clients"), server.count("tls/half_open")), (0, 0));
}

#[test]
fn a_byte_by_byte_handshake_ends_at_its_deadline() {
    let server = start("tls-handshake-s = 2");
    let mut slow = connect(&server);
    let mut silent = connect(&server);
    let words = [&HELLO[..], &[0x01; 512]].concat();
    let cut = words.iter().take_while(|byte| {
        std::thread::sleep(Duration::from_millis(100));
        slow.write_all(&[**byte]).is_ok()
    });
    // Each byte keeps the connection active, and none extends its deadline.
    assert!(cut.count() < 300, "the server read all 512 bytes at ten a second");
    assert_eq!(silent.read(&mut [0; 1]).expect("the server hangs up on the silent client"), 0);
    await_until("both to be counted", || (server.count("tls/unfinished") == 2).then_some(()));
}

#[test]
fn crowded_handshakes_leave_room_for_others() {
    const CROWD: usize = 1000;
    let server = start("tls-handshake-s = 60");
    ekey_tests::load::allow_open_files(CROWD);
    let crowd = unfinished_handshakes(&server, CROWD);
    await_until("as many as there is room for", || (server.count("tls/half_open") >= 250).then_some(()));
    assert!(server.count("tls/half_open") <= 256, "{} are in the handshake", server.count("tls/half_open"));
    // Clients on the unix socket notice nothing.
    let mut other = EgdClient::connect(&server.daemon.egd).expect("the EGD server takes a client");
    (0..20).for_each(|_| assert_eq!(other.take(64).expect("it is served").len(), 64));
    // Each of the crowd has one second, and later clients get in.
    let honest = server.client();
    assert_eq!(honest.take(64).expect("an honest client gets in").len(), 64);
    drop(crowd);
    await_until("all to leave", || (server.count("tls/half_open") == 0).then_some(()));
}

#[test]
fn a_flood_of_handshakes_delays_no_other() {
    let server = start("");
    let flood = Flood::of_handshakes(&server);
    await_until("the flood", || (server.count("tls/unfinished") > 100).then_some(()));
    let mut other = EgdClient::connect(&server.daemon.egd).expect("the EGD server takes a client");
    (0..200).for_each(|_| assert_eq!(other.take(64).expect("it is served").len(), 64));
    println!("{} handshakes were begun", flood.end());
}

fn start(lines: &str) -> TlsServer {
    TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan.egd_lines(lines))
}

fn connect(server: &TlsServer) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection is taken");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    stream
}
