//! The daemon as a TLS client: of `openssl s_server` and of our own listener, with every possible certificate error.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ekey_tests::await_until::{DEADLINE, await_until};
use ekey_tests::blocks::{Account, blocks_in, read};
use ekey_tests::egd_server::{EgdServer, Manner, random_byte};
use ekey_tests::ports::free_port;
use ekey_tests::tls::{Certificates, OpensslServer, TlsServer};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, Status};

#[test]
fn bytes_through_openssl_s_server_arrive() {
    let scratch = Scratch::make();
    let certificates = Certificates::make(&scratch, "tls");
    let port = free_port();
    let server = OpensslServer::start(&scratch, &certificates, ["server.pem", "server.key"], port, &[]);
    let output = scratch.path("entropy");
    let daemon = DaemonPlan::default()
        .file(&output, Some(4))
        .fetch_from(&[format!("tls:localhost:{port}")], &certificates.lines("client"))
        .start(&scratch);
    let mut sent = Vec::new();
    await_until("four blocks", || {
        answer(&server.stream, &mut sent);
        (blocks_in(&output) >= 4).then_some(())
    });
    assert_eq!(read(&output), sent[..4 * 32], "what was written and what was sent");
    let status = daemon.status(&scratch);
    assert_eq!(
        (status.at("/egd_client/state").as_str(), status.count("/egd_client/failures")),
        (Some("connected"), 0),
        "{status}"
    );
}

#[test]
fn bytes_over_tls_are_credited() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(4000), |plan| plan);
    let scratch = Scratch::make();
    let client = fetch(&scratch, &server.certificates, server.port, |plan| plan.uncredited_kernel(""));
    let status = await_client(&client, &scratch, |status| status.count("/kernel/mixed_bytes") > 0);
    assert_eq!(status.at("/egd_client/credited"), true, "{status}");
    // The daemon asks for the credit, and this one lacks the right.
    assert_eq!(status.at("/kernel/privileged"), false, "{status}");
}

#[test]
fn daemon_to_daemon_survives_a_server_restart() {
    let mut server = TlsServer::start(&KeyPlan::named("key").rate(4000), |plan| plan);
    let scratch = Scratch::make();
    let output = scratch.path("entropy");
    let client = fetch(&scratch, &server.certificates, server.port, |plan| plan.file(&output, None));
    await_until("some kilobytes", || (blocks_in(&output) > 256).then_some(()));
    server.daemon.program.kill();
    await_client(&client, &scratch, |status| status.at("/egd_client/state").as_str() == Some("resting"));
    let before = read(&output).len();
    let restarted = DaemonPlan::default()
        .path(&server.key.path)
        .keyring_line(&KeyPlan::named("key").keyring_line())
        .egd()
        .listen(&format!("tls:127.0.0.1:{}", server.port))
        .egd_lines(&server.certificates.lines("server"))
        .start(&server.scratch);
    await_until("more bytes", || (read(&output).len() > before + 8192).then_some(()));
    drop(restarted);
    let taken = read(&output);
    await_until("the log of what was taken", || {
        Account::of(&[read(&server.key.plain_log)]).book(&taken).is_ok().then_some(())
    });
}

#[test]
fn every_certificate_error_has_a_remedy() {
    let scratch = Scratch::make();
    let own = Certificates::make(&scratch, "tls");
    let other = Certificates::make(&scratch, "other");
    own.client_for("expired", -1);
    own.shell(
        "openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days -1 \
         -extfile server.ext -out old-server.pem
         sed s/localhost/elsewhere.example.org/ server.ext >elsewhere.ext
         openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 9 \
         -extfile elsewhere.ext -out elsewhere.pem
         cp client.key expired.key",
    );
    let stranger = other.lines("client");
    for (shown, lines, expected) in [
        ("old-server.pem", own.lines("client"), "its certificate has expired"),
        ("elsewhere.pem", own.lines("client"), "its certificate is for another name"),
        ("client.pem", own.lines("client"), "its certificate is"),
        ("server.pem", stranger.clone(), "its certificate is from another authority"),
        ("server.pem", own.lines("expired"), "expired.pem: the certificate expired on "),
        ("server.pem", own.lines("missing"), "missing.pem: cannot read"),
        // The right authority, and a client certificate that the server does not know: it says so after the handshake.
        ("server.pem", stranger.replace("other/authority", "tls/authority"), "it rejects this machine's certificate"),
    ] {
        let port = free_port();
        let key = if shown == "client.pem" { "client.key" } else { "server.key" };
        let server = OpensslServer::start(&scratch, &own, [shown, key], port, &[]);
        let place = format!("tls:localhost:{port}");
        let daemon = DaemonPlan::default().fetch_from(std::slice::from_ref(&place), &lines).start(&scratch);
        let status = await_client(&daemon, &scratch, |status| status.count("/egd_client/failures") > 0);
        let said = status.at("/egd_client/last_error").as_str().unwrap_or_default().to_owned();
        assert!(said.contains(expected) && said.contains(&place), "{shown} gives {said:?}, expected {expected:?}");
        assert!(said.contains(';'), "it does not say what to do: {said}");
        assert_eq!(status.count("/egd_client/received_bytes"), 0, "{status}");
        drop(server);
    }
}

#[test]
fn a_plain_server_is_never_asked_in_the_clear() {
    let plain = EgdServer::start(Manner::Serves);
    let scratch = Scratch::make();
    let certificates = Certificates::make(&scratch, "tls");
    let client = fetch(&scratch, &certificates, plain.port(), |plan| plan);
    await_client(&client, &scratch, |status| status.count("/egd_client/failures") > 0);
    assert_eq!((plain.requests(), plain.sent()), (vec![], vec![]), "what it was asked, and what it sent");
}

#[test]
fn a_new_client_certificate_serves_on_reconnect() {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan);
    let scratch = Scratch::make();
    server.certificates.shell(
        "cp client.pem good.pem; openssl x509 -req -in client.csr -CA authority.pem -CAkey authority.key \
        -CAcreateserial -days -1 -extfile client.ext -out client.pem",
    );
    let client = fetch(&scratch, &server.certificates, server.port, |plan| plan);
    await_client(&client, &scratch, |status| status.count("/egd_client/failures") > 0);
    server.certificates.shell("cp good.pem client.pem");
    await_client(&client, &scratch, |status| status.at("/egd_client/state").as_str() == Some("connected"));
}

fn fetch(
    scratch: &Scratch,
    certificates: &Certificates,
    port: u16,
    more: impl FnOnce(DaemonPlan) -> DaemonPlan,
) -> Daemon {
    let plan = DaemonPlan::default().fetch_from(&[format!("tls:localhost:{port}")], &certificates.lines("client"));
    more(plan).start(scratch)
}

fn await_client(daemon: &Daemon, scratch: &Scratch, is_expected: impl Fn(&Status) -> bool) -> Status {
    await_until("the client's state", || Some(daemon.status(scratch)).filter(&is_expected))
}

/// Answers a request on the other side of `openssl s_server`, with bytes that identify their place.
fn answer(mut stream: &UnixStream, sent: &mut Vec<u8>) {
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout can be set");
    let mut request = [0; 2];
    let Ok(1) = stream.read(&mut request[..1]) else { return };
    if request[0] == 0x00 {
        return stream.write_all(&[0, 0, 0x20, 0]).expect("openssl takes it");
    }
    assert_eq!(request[0], 0x02, "the daemon asks for entropy by 0x02");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout can be set");
    stream.read_exact(&mut request[1..]).expect("a whole request");
    let bytes: Vec<u8> = (0..u64::from(request[1])).map(|at| random_byte(sent.len() as u64 + at + 1)).collect();
    stream.write_all(&bytes).expect("openssl takes it");
    sent.extend_from_slice(&bytes);
}
