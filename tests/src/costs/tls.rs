//! The cost of TLS: handshakes, compared with `openssl s_server`, and a crowd and a flood that never finish theirs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Bound, Figure, Missing, Subject, Unit, median};
use crate::await_until;
use crate::egd::EgdClient;
use crate::load::allow_open_files;
use crate::ports::free_port;
use crate::software_key::KeyPlan;
use crate::tls::{OpensslServer, TlsClient, TlsServer};
use crate::usage::memory;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "tls-handshakes", title: "full handshakes a second", measure: handshakes },
    Subject { name: "tls-crowd", title: "a thousand clients in the handshake", measure: crowd },
    Subject { name: "tls-flood", title: "the slowest answer during a flood of handshakes", measure: flood },
];

fn handshakes() -> Result<Vec<Figure>, Missing> {
    let ([theirs, ours], finished) = handshakes_per_second(Duration::from_secs(5));
    let figure = Figure::new("full handshakes a second, certificates at both ends", Unit::PerSecond, ours);
    Ok(vec![
        figure.against("openssl s_server", theirs),
        Figure::new("of them finished by the daemon too, before the client left", Unit::Times, finished),
    ])
}

fn crowd() -> Result<Vec<Figure>, Missing> {
    const CROWD: usize = 1000;
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan.egd_lines("tls-handshake-s = 60"));
    let own = || memory(server.daemon.program.id()).own as f64;
    let mut other = EgdClient::connect(&server.daemon.egd).expect("the EGD server takes a client");
    let mut twenty = || {
        let started = Instant::now();
        (0..20).for_each(|_| assert_eq!(other.take(64).expect("it is served").len(), 64));
        started.elapsed().as_secs_f64()
    };
    let (alone, before) = (twenty(), own());
    allow_open_files(CROWD);
    // Each sends all but the end of the largest possible record.
    let record = [&[0x16, 0x03, 0x01, 0x40, 0x00][..], &[0x01; 16_000]].concat();
    let crowd: Vec<TcpStream> = (0..CROWD)
        .map(|_| {
            let mut stream = connect(&server);
            stream.set_nonblocking(true).expect("a socket can be non-blocking");
            let _ = stream.write(&record);
            stream
        })
        .collect();
    await_until("as many as there is room for", || (server.count("tls/half_open") >= 250).then_some(()));
    let loaded = twenty();
    let most = own();
    drop(crowd);
    Ok(vec![
        Figure::new("anonymous memory with 256 in the handshake", Unit::Kilobytes, most)
            .against("before", before)
            .bound(Bound::MostMore(12.0 * 1024.0)),
        Figure::new("20 answers to another client", Unit::Seconds, loaded)
            .against("before", alone)
            .bound(Bound::Most(5.0)),
    ])
}

fn flood() -> Result<Vec<Figure>, Missing> {
    let server = TlsServer::start(&KeyPlan::named("key").rate(2000), |plan| plan);
    let mut other = EgdClient::connect(&server.daemon.egd).expect("the EGD server takes a client");
    let mut slowest = || {
        median([(); 5].map(|()| {
            let answers = (0..100).map(|_| {
                let started = Instant::now();
                assert_eq!(other.take(64).expect("it is served").len(), 64);
                started.elapsed().as_secs_f64()
            });
            answers.fold(0.0, f64::max)
        }))
    };
    let alone = slowest();
    // The most work that a client can cause without any of its own: the same ClientHello again and again.
    let hello = client_hello(&server);
    let port = server.port;
    let (stop, stopped) = mpsc::channel::<()>();
    let flood = std::thread::spawn(move || {
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            let streams: Vec<_> = (0..50).filter_map(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
            for mut stream in &streams {
                // The server may refuse it.
                let _ = stream.write_all(&hello);
            }
        }
    });
    await_until("the flood", || (server.count("tls/unfinished") > 100).then_some(()));
    let loaded = slowest();
    drop(stop);
    flood.join().expect("the flood ends");
    let figure = Figure::new("slowest of 100 answers, median of 5", Unit::Seconds, loaded);
    Ok(vec![figure.against("without it", alone).bound(Bound::Most(1.0))])
}

fn connect(server: &TlsServer) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.port)).expect("a connection is taken")
}

/// Returns the first message of `openssl s_client`.
fn client_hello(server: &TlsServer) -> Vec<u8> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    let port = listener.local_addr().expect("it has an address").port();
    let authority = server.certificates.path("authority.pem");
    let _client = TlsClient::connect(port, &authority, &[], &[]);
    let (mut stream, _) = listener.accept().expect("it connects");
    let mut head = [0; 5];
    stream.read_exact(&mut head).expect("it says hello");
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut body).expect("all of it");
    [&head[..], &body].concat()
}

/// Returns the full handshakes a second that `openssl s_time` completes, one after the other, with `openssl s_server`
/// and with our daemon, and what part of them our daemon has completed too. Both include the client's part; each server
/// shows a certificate of P-256, and no session is resumed.
fn handshakes_per_second(span: Duration) -> ([f64; 2], f64) {
    let server = TlsServer::start(&KeyPlan::named("key").rate(100), |plan| plan);
    let (certificates, scratch) = (&server.certificates, &server.scratch);
    let port = free_port();
    let _theirs =
        OpensslServer::start(scratch, certificates, ["server.pem", "server.key"], port, &["-num_tickets", "0"]);
    let before = server.count("tls/handshakes");
    let rates = [port, server.port].map(|port| {
        let said = certificates.shell(&format!(
            "openssl s_time -connect 127.0.0.1:{port} -new -time {} -CAfile authority.pem -cert client.pem -key client.key",
            span.as_secs()
        ));
        let said = String::from_utf8_lossy(&said).into_owned();
        let line = said.lines().find(|line| line.contains(" real seconds")).unwrap_or_else(|| panic!("openssl s_time says\n{said}"));
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(count @ 1.0..), Some(seconds @ 1.0..)) => (count, count / seconds),
            _ => panic!("openssl s_time got nothing done:\n{said}"),
        }
    });
    // A client that leaves when it is done may be gone before the daemon has read its last message.
    let finished = (server.count("tls/handshakes") - before) as f64 / rates[1].0;
    (rates.map(|(_, rate)| rate), finished)
}
