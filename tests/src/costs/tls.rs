//! The cost of TLS: handshakes, compared with `openssl s_server`, and a crowd and a flood that never finish theirs.

use std::time::{Duration, Instant};

use super::{Bound, Figure, Missing, Subject, Unit, median};
use crate::await_until;
use crate::egd::EgdClient;
use crate::floods::{Flood, unfinished_handshakes};
use crate::load::allow_open_files;
use crate::ports::free_port;
use crate::software_key::KeyPlan;
use crate::tls::{OpensslServer, TlsServer};
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
    let crowd = unfinished_handshakes(&server, CROWD);
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
    let flood = Flood::of_handshakes(&server);
    await_until("the flood", || (server.count("tls/unfinished") > 100).then_some(()));
    let loaded = slowest();
    flood.end();
    let figure = Figure::new("slowest of 100 answers, median of 5", Unit::Seconds, loaded);
    Ok(vec![figure.against("without it", alone).bound(Bound::Most(1.0))])
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
