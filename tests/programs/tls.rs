//! EGD over TLS with `openssl s_client`: a client with a certificate of the authority is served like any other, and no
//! other client gets a byte.

use std::io::Read as _;
use std::time::Duration;

use ekey_tests::blocks::{Account, read};
use ekey_tests::load::{Habit, Load};
use ekey_tests::tls::{Certificates, TlsClient, TlsServer};
use ekey_tests::{KeyPlan, await_until};
use nix::sys::signal::Signal;

#[test]
fn a_client_with_a_certificate_gets_each_byte_once() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan);
    let clients = [server.client(), server.client()];
    let taken: Vec<Vec<u8>> =
        (0..40).map(|turn| clients[turn % 2].take(248).expect("an allowed client is served")).collect();
    assert_eq!((server.count("tls/handshakes"), server.count("tls/refused")), (2, 0));
    assert_eq!(server.count("served_bytes"), 40 * 248);
    await_until("the log of what was taken", || {
        let mut account = Account::of(&[read(&server.key.plain_log)]);
        // The key logs a block when it is sent whole, which may be a moment after the daemon has it.
        taken.iter().all(|bytes| account.book(bytes).is_ok()).then_some(())
    });
}

#[test]
fn without_a_valid_certificate_no_byte_is_served() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan);
    let own = &server.certificates;
    own.client_for("expired", -1);
    own.shell("openssl req -x509 -key client.key -subj /CN=self -days 9 -out self.pem");
    own.shell("cat server.pem >wrong-purpose.pem");
    own.shell(
        "grep -v extendedKeyUsage client.ext >no-purpose.ext
         openssl x509 -req -in client.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 9 \
           -extfile no-purpose.ext -out no-purpose.pem",
    );
    let other = Certificates::make(&server.scratch, "other");
    let authority = own.path("authority.pem");
    for (number, (what, files, why)) in (1..).zip([
        ("no certificate", vec![], "shows no certificate"),
        ("an expired one", vec![own.path("expired.pem"), own.path("client.key")], "has expired"),
        ("one of another authority", vec![other.path("client.pem"), other.path("client.key")], "another authority"),
        ("a self-signed one", vec![own.path("self.pem"), own.path("client.key")], "its certificate is"),
        ("the server's", vec![own.path("wrong-purpose.pem"), own.path("server.key")], "not for clients"),
        ("one for no purpose", vec![own.path("no-purpose.pem"), own.path("client.key")], "not for clients"),
    ]) {
        let client = TlsClient::connect(server.port, &authority, &files, &[]);
        client.ask(&[0x02, 64, 0x00, 0x01, 32, 0x04]);
        assert_eq!(client.rest(), b"", "what a client with {what} got");
        let status = server.daemon.status(&server.scratch);
        assert_eq!(status.count("/egd/1/tls/refused"), number, "after {what}: {status}");
        let last = status.at("/egd/1/tls/last_refusal").as_str().unwrap_or_default();
        assert!(last.contains(why) && last.contains("127.0.0.1"), "after {what} the status says {last:?}");
    }
    let status = server.daemon.status(&server.scratch);
    let given = ["served_bytes", "other_bytes", "sent_bytes"].map(|name| status.count(&format!("/egd/1/{name}")));
    assert_eq!(given, [0; 3], "bytes given to them: {status}");
    let words = server.daemon.program.stderr();
    assert_eq!(words.matches(": refused ").count(), 1, "the log has one line a minute about it:\n{words}");
    assert_eq!(server.client().take(64).expect("an allowed client is still served").len(), 64);
}

#[test]
fn a_client_without_tls_1_3_is_refused() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan);
    let files = ["client.pem", "client.key"].map(|name| server.certificates.path(name));
    let client = TlsClient::connect(server.port, &server.certificates.path("authority.pem"), &files, &["-tls1_2"]);
    client.ask(&[0x02, 64]);
    assert_eq!(client.rest(), b"", "what a client of TLS 1.2 got");
    let status = server.daemon.status(&server.scratch);
    let last = status.at("/egd/1/tls/last_refusal").as_str().unwrap_or_default();
    assert!(last.contains("TLS 1.3"), "{status}");
}

#[test]
fn two_hundred_clients_at_once_get_each_byte_once() {
    const CLIENTS: usize = 200;
    // A multiple of eight, by which the account identifies a piece.
    const REQUEST: u8 = 248;
    let mut server = TlsServer::start(&KeyPlan::named("key").rate(4000), |plan| plan.egd_lines("pool-bytes = 16384"));
    let clients: Vec<TlsClient> = (0..CLIENTS).map(|_| server.client()).collect();
    let streams = clients.iter().map(|client| {
        let stream = client.stream().try_clone().expect("a second handle");
        stream.set_nonblocking(true).expect("a socket can be non-blocking");
        mio::net::UnixStream::from_std(stream)
    });
    let mut load = Load::new().with_streams(streams, Habit { ahead: 64, ..Habit::steady(REQUEST) }).keeping();
    for round in 1..=5 {
        let measured = load.run_until_all_are_served();
        assert!(measured.is_flawless(), "round {round}: {} of {CLIENTS} clients were hung up on", measured.lost);
    }
    assert_eq!(server.count("tls/handshakes"), CLIENTS as u64);
    server.daemon.program.signal(Signal::SIGTERM);
    server.daemon.program.wait();
    // Bytes in flight still reach the clients.
    let _ = load.run_for(Duration::from_millis(500));
    let mut account = Account::of(&[read(&server.key.plain_log)]);
    for (number, given) in load.given().enumerate() {
        let whole = given.len() - given.len() % usize::from(REQUEST);
        assert_eq!(account.book(&given[..whole]), Ok(()), "what client {number} got, {} bytes", given.len());
    }
}

#[test]
fn reload_shows_new_clients_the_new_certificate() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan);
    let serial = || {
        let port = server.port;
        let shown = server.certificates.shell(&format!(
            "openssl s_client -connect 127.0.0.1:{port} -CAfile authority.pem -cert client.pem -key client.key \
             </dev/null 2>/dev/null | openssl x509 -noout -serial"
        ));
        String::from_utf8_lossy(&shown).into_owned()
    };
    let old = server.client();
    assert_eq!(old.take(32).expect("an allowed client is served").len(), 32);
    let before = serial();
    server.certificates.shell(
        "openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial \
         -days 20 -extfile server.ext -out server.pem",
    );
    server.daemon.program.signal(Signal::SIGHUP);
    await_until("the new certificate", || (serial() != before).then_some(()));
    let expected = server.certificates.shell("openssl x509 -in server.pem -noout -serial");
    assert_eq!(serial().as_bytes(), expected, "the certificate that is shown");
    assert_eq!(old.take(32).expect("the old client is still served").len(), 32);
    let status = server.daemon.status(&server.scratch);
    let days = status.at("/egd/1/tls/days_left").as_i64();
    assert!(matches!(days, Some(19 | 20)), "days left: {days:?}");
    let end = server.certificates.shell("openssl x509 -in server.pem -noout -enddate -dateopt iso_8601");
    let end = String::from_utf8_lossy(&end).trim().replace("notAfter=", "").replace(' ', "T");
    assert_eq!(status.at("/egd/1/tls/valid_until").as_str(), Some(end.as_str()), "the end as openssl says it");

    // A bad file changes nothing, and the status says what is wrong with it.
    server.certificates.shell("cp client.key server.key");
    server.daemon.program.signal(Signal::SIGHUP);
    let problem = await_until("the bad file to be noticed", || {
        let status = server.daemon.status(&server.scratch);
        status.at("/egd/1/tls/problem").as_str().map(ToOwned::to_owned)
    });
    assert!(problem.contains("server.key") && problem.contains("belong together"), "{problem}");
    let screen = server.daemon.ctl(&server.scratch, &["status"]).stdout;
    assert!(screen.contains("server.pem") && screen.contains("server.key"), "the screen says:\n{screen}");
    assert_eq!(old.take(32).expect("the old client is still served").len(), 32);
    assert_eq!(server.client().take(32).expect("a new client is served with the old certificate").len(), 32);
}

#[test]
fn a_session_ends_when_its_certificate_expires() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan);
    let other = server.client();
    // On a busy machine the first certificate may expire before the handshake.
    let client = [5, 30, 180].into_iter().find_map(|seconds| {
        server.certificates.client_for_seconds("brief", seconds);
        let client = server.client_with(&["brief.pem", "client.key"]);
        client.take(32).is_ok().then_some(client)
    });
    let client = client.expect("a client is served while its certificate is valid");
    let refused = server.count("tls/refused");
    assert_eq!(client.rest(), b"", "the server hangs up");
    await_until("the end of the session to be counted", || (server.count("tls/refused") > refused).then_some(()));
    let status = server.daemon.status(&server.scratch);
    let last = status.at("/egd/1/tls/last_refusal").as_str().unwrap_or_default();
    assert!(last.contains("expired"), "{status}");
    let late = server.client_with(&["brief.pem", "client.key"]);
    late.ask(&[0x02, 32]);
    assert_eq!(late.rest(), b"", "what a client with an expired certificate got");
    assert_eq!(other.take(32).expect("another client goes on").len(), 32);
}

#[test]
fn a_session_ends_when_its_authority_is_replaced() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan);
    let new = Certificates::make(&server.scratch, "new");
    let own = server.certificates.path("own.pem");
    server.certificates.shell("cp authority.pem own.pem");
    let client_of = |authority: &Certificates| {
        TlsClient::connect(server.port, &own, &["client.pem", "client.key"].map(|name| authority.path(name)), &[])
    };
    let old_client = client_of(&server.certificates);
    assert_eq!(old_client.take(32).expect("a client of the old authority is served").len(), 32);

    // Both authorities are there for a while.
    server.certificates.shell("cat own.pem ../new/authority.pem >authority.pem");
    server.daemon.program.signal(Signal::SIGHUP);
    let new_client = await_until("a client of the new authority to be served", || {
        let client = client_of(&new);
        client.take(32).is_ok().then_some(client)
    });
    assert_eq!(old_client.take(32).expect("the client of the old authority goes on").len(), 32);

    server.certificates.shell("cat ../new/authority.pem >authority.pem");
    let refused = server.count("tls/refused");
    server.daemon.program.signal(Signal::SIGHUP);
    assert_eq!(old_client.rest(), b"", "the server hangs up");
    await_until("the end of the session to be counted", || (server.count("tls/refused") == refused + 1).then_some(()));
    let status = server.daemon.status(&server.scratch);
    let last = status.at("/egd/1/tls/last_refusal").as_str().unwrap_or_default();
    assert!(last.contains("another authority"), "{status}");
    assert_eq!(new_client.take(32).expect("the client of the new authority goes on").len(), 32);
}

#[test]
fn a_peers_limits_hold_from_the_handshake_on() {
    let lines = "clients-per-peer = 2\nbytes-per-s-per-peer = 500\nburst-bytes-per-peer = 500";
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan.egd_lines(lines));
    let one = server.client();
    // 500 at once, and then it waits, even if the pool has more.
    one.ask(&[0x02, 250].repeat(40));
    await_until("it to wait despite bytes in the pool", || {
        let status = server.daemon.status(&server.scratch);
        (status.count("/egd/1/waiting") == 1 && status.count("/pool/bytes") > 10_000).then_some(())
    });
    one.stream().read_exact(&mut [0; 1500]).expect("an allowed client is served");
    // A silent client in the handshake counts for its peer too.
    let _silent = std::net::TcpStream::connect(("127.0.0.1", server.port)).expect("a connection is taken");
    await_until("the silent one to be counted", || (server.count("clients") == 2).then_some(()));
    let third = server.client();
    third.ask(&[0x02, 8]);
    assert_eq!(third.rest(), b"", "what a third client got");
    assert_eq!(server.count("refused"), 1);
    let denied = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| {
        plan.egd_lines("allow-networks = [\"192.0.2.0/24\"]")
    });
    let client = denied.client();
    client.ask(&[0x02, 8]);
    assert_eq!(client.rest(), b"", "what a client of another network got");
    assert_eq!((denied.count("denied"), denied.count("tls/refused")), (1, 0));
}

#[test]
fn a_waiting_client_gets_its_bytes_when_they_come() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(10), |plan| plan);
    let client = server.client();
    // The key begins with a block of 78 frames, and sends the next after eight seconds.
    client.ask(&[0x02, 255].repeat(12));
    let whole = 78 * 32 / 255 * 255;
    let mut bytes = vec![0; whole];
    let mut stream = client.stream();
    stream.read_exact(&mut bytes).expect("what is enough for a whole answer comes at once");
    await_until("it to wait", || (server.count("waiting") == 1).then_some(()));
    stream.read_exact(&mut bytes[..255]).expect("a waiting client is served");
    assert!(server.count("served_bytes") >= whole as u64 + 255);
}
