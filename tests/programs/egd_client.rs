//! A daemon that fetches from EGD servers: it outputs what they serve byte for byte, and their mistakes do no harm.

use std::path::PathBuf;
use std::time::Duration;

use ekey_tests::await_until::assert_stays;
use ekey_tests::blocks::{self, Account};
use ekey_tests::egd::EgdClient;
use ekey_tests::egd_server::{EgdServer, Manner};
use ekey_tests::ports::free_port;
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, Status, await_until};
use nix::sys::signal::Signal;

/// Bytes of the blocks that the tests count in.
const BLOCK: usize = blocks::BLOCK;
/// Bytes of a server that are fetched for the health tests, before any is used: 2,500 in whole requests of 128.
const FIRST_BLOCK: usize = 2560;

#[test]
fn every_byte_of_a_server_arrives() {
    let server = EgdServer::start(Manner::Serves);
    let mut fetching = Fetching::from(&[server.place()], "request-bytes = 100", Some(200));
    fetching.await_blocks(200);
    let (output, sent) = (fetching.output(), server.sent());
    assert_eq!(output, sent[..output.len()], "what was written and what was sent");
    assert!(!server.was_pipelined(), "a request was sent before the answer to the one before");
    let most = server.requests().into_iter().max();
    assert_eq!(most, Some(100), "the longest request");
    let status = fetching.await_client("/state", "connected");
    assert_eq!(status.at("/egd_client/proven"), false, "{status}");
    assert_eq!(status.count("/egd_client/failures"), 0, "{status}");
    assert_eq!(status.count("/egd_client/reconnects"), 0, "{status}");
    assert_eq!(status.at("/egd_client/server"), server.place().as_str(), "{status}");
    assert_eq!(status.code(), Some(0), "a server and no key is no fault: {status}");
    fetching.ends_cleanly();
}

#[test]
fn an_idle_daemon_fetches_only_its_reserve() {
    let server = EgdServer::start(Manner::Serves);
    let scratch = Scratch::make();
    let daemon = DaemonPlan::default().egd().fetch_from(&[server.place()], "reserve-bytes = 300").start(&scratch);
    await_until("the first block", || (server.sent().len() >= FIRST_BLOCK).then_some(()));
    assert_stays(Duration::from_secs(1), || match server.sent().len() {
        FIRST_BLOCK => Ok(()),
        more => Err(format!("{more} bytes were requested, expected the first block, which is more than the reserve")),
    });
    let mut client = EgdClient::connect(&daemon.egd).expect("it listens");
    let taken: Vec<u8> = (0..10).flat_map(|_| client.take(255).expect("it serves")).collect();
    assert_eq!(taken.len(), 10 * 255);
    await_until("the reserve to be fetched again", || (server.sent().len() >= 300 + 10 * 255).then_some(()));
    let mut account = Account::of(&[server.sent()]);
    assert_eq!(account.book(&taken[..255]), Ok(()), "the first answer to a client");
    assert_stays(Duration::from_secs(1), || match server.sent().len() {
        2850 => Ok(()),
        other => Err(format!("{other} bytes were requested, expected 300 and the 2550 that were taken")),
    });
}

#[test]
fn the_daemon_waits_for_a_slow_server() {
    let server = EgdServer::start(Manner::Slow(FIRST_BLOCK, Duration::from_millis(100)));
    let mut fetching = Fetching::from(&[server.place()], "timeout-s = 10", Some(84));
    // A request of 128 bytes takes longer than the timeout, which is for each byte.
    fetching.await_blocks(84);
    assert_eq!(fetching.output(), server.sent()[..84 * BLOCK]);
    let status = fetching.status();
    assert_eq!(status.count("/egd_client/failures"), 0, "{status}");
}

#[test]
fn a_server_that_breaks_the_protocol_adds_nothing() {
    let banner = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";
    let error = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    let too_much = &[0x55; 200];
    for manner in [Manner::Says(banner), Manner::Says(error), Manner::Says(b"\0"), Manner::Answers(too_much)] {
        let server = EgdServer::start(manner);
        let fetching = Fetching::from(&[server.place()], "timeout-s = 1", None);
        let status = fetching.await_failures(2);
        assert_eq!(status.count("/egd_client/received_bytes"), 0, "{manner:?}: {status}");
        assert_eq!(fetching.output().len(), 0, "bytes written, from {manner:?}");
        let said = status.at("/egd_client/last_error").as_str().unwrap_or_default().to_owned();
        assert!(said.starts_with(&format!("EGD server {}: ", server.place())), "{manner:?}: {said}");
        assert_eq!(status.code(), Some(2), "{manner:?}: {status}");
    }
}

#[test]
fn a_server_that_hangs_up_mid_answer_loses_no_byte() {
    let server = EgdServer::start(Manner::HangsUpAfter(500));
    let mut fetching = Fetching::from(&[server.place()], "request-bytes = 32", Some(100));
    fetching.await_blocks(100);
    assert_eq!(fetching.output(), server.sent()[..100 * BLOCK]);
    let status = fetching.status();
    assert!(status.count("/egd_client/reconnects") >= 5, "3200 bytes by 500 at a time: {status}");
}

#[test]
fn silent_and_absent_servers_are_told_apart() {
    let silent = EgdServer::start(Manner::Silent);
    for (place, expected) in [
        (silent.place(), "has sent nothing for 1 s"),
        (format!("tcp:127.0.0.1:{}", free_port()), "cannot connect"),
        ("tcp:no-such-host.invalid:8888".to_owned(), "name cannot be resolved"),
        ("unix:/nowhere/egd.sock".to_owned(), "cannot connect"),
    ] {
        let fetching = Fetching::from(std::slice::from_ref(&place), "timeout-s = 1", None);
        let status = fetching.await_failures(1);
        let said = status.at("/egd_client/last_error").as_str().unwrap_or_default().to_owned();
        assert!(said.contains(expected) && said.contains(&place), "{place}: {said}");
        let screen = fetching.daemon.ctl(&fetching.scratch, &["status"]).stdout;
        assert!(screen.contains(expected), "the last words name the reason: {screen}");
        fetching.ends_cleanly();
    }
}

#[test]
fn the_next_server_of_the_list_takes_over() {
    let (first, second) = (
        EgdServer::start(Manner::Slow(0, Duration::from_millis(2))),
        EgdServer::start(Manner::Slow(0, Duration::from_millis(2))),
    );
    let nobody = format!("tcp:localhost:{}", free_port());
    let places = [nobody, first.place(), second.place()];
    let mut fetching = Fetching::from(&places, "", None);
    fetching.await_blocks(5);
    assert_eq!(second.connections(), 0, "the second is left alone while the first works");
    first.close();
    let so_far = first.sent().len() / BLOCK + 5;
    fetching.await_blocks(so_far as u64);
    let status = fetching.await_client("/server", &second.place());
    assert!(status.count("/egd_client/reconnects") >= 1, "{status}");
    second.close();
    let (output, sent) = (fetching.output(), [first.sent(), second.sent()]);
    let common = output.iter().zip(&sent[0]).take_while(|(seen, expected)| seen == expected).count();
    // The second server's first bytes may by chance equal the last ones of the first, which the daemon did not receive.
    let cut = (common.saturating_sub(4)..=common).find(|cut| sent[1].starts_with(&output[*cut..]));
    let cut = cut.unwrap_or_else(|| panic!("the bytes after {common} of the first are not the second's"));
    assert!((5 * BLOCK..output.len()).contains(&cut), "{cut} of {} bytes are of the first", output.len());
}

#[test]
fn a_key_of_another_machine_serves_this_one() {
    let there = Scratch::make();
    let plan = KeyPlan::named("key").rate(500);
    let key = plan.plug_in(&there);
    let place = format!("tcp:127.0.0.1:{}", free_port());
    let mut server = DaemonPlan::default().key(&plan, &key).listen(&place).start(&there);
    let mut fetching = Fetching::from(&[place], "", Some(500));
    fetching.await_blocks(500);
    server.program.kill();
    let mut account = Account::of(&[blocks::read(&key.plain_log)]);
    assert_eq!(account.book(&fetching.output()), Ok(()), "each byte is the key's, and comes once");
    let status = fetching.status();
    assert!(status.count("/egd_client/received_bytes") >= 500 * BLOCK as u64, "{status}");
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let there = Scratch::make();
    let plan = KeyPlan::named("key").rate(500);
    let key = plan.plug_in(&there);
    let place = format!("unix:{}", there.path("egd.sock").display());
    let server = DaemonPlan::default().key(&plan, &key).egd();
    let mut fetching = Fetching::from(&[place], "longest-pause-s = 1", None);
    fetching.await_failures(1);
    let mut running = server.start(&there);
    fetching.await_blocks(10);
    running.program.kill();
    let failures = fetching.status().count("/egd_client/failures");
    fetching.await_failures(failures + 1);
    let before = blocks::blocks_in(&fetching.file);
    let _running = server.start(&there);
    fetching.await_blocks(before + 10);
    let mut account = Account::of(&[blocks::read(&key.plain_log)]);
    assert_eq!(account.book(&fetching.output()), Ok(()), "each byte is the key's, and comes once");
}

/// A daemon without a key that writes what it fetches to a file.
struct Fetching {
    daemon: Daemon,
    file: PathBuf,
    scratch: Scratch,
}

impl Fetching {
    fn from(servers: &[String], lines: &str, most_blocks: Option<u64>) -> Self {
        let scratch = Scratch::make();
        let file = scratch.path("entropy");
        let daemon = DaemonPlan::default().file(&file, most_blocks).fetch_from(servers, lines).start(&scratch);
        Self { daemon, file, scratch }
    }

    fn status(&self) -> Status {
        self.daemon.status(&self.scratch)
    }

    fn output(&self) -> Vec<u8> {
        blocks::read(&self.file)
    }

    fn await_blocks(&mut self, blocks: u64) {
        self.daemon.await_blocks(&self.file, blocks);
    }

    fn await_failures(&self, failures: u64) -> Status {
        await_until(&format!("{failures} failures"), || {
            let status = self.status();
            (status.count("/egd_client/failures") >= failures).then_some(status)
        })
    }

    fn await_client(&self, place: &str, expected: &str) -> Status {
        await_until(&format!("{place} to be {expected}"), || {
            let status = self.status();
            (status.at(&format!("/egd_client{place}")) == expected).then_some(status)
        })
    }

    fn ends_cleanly(mut self) {
        self.daemon.program.signal(Signal::SIGTERM);
        let ended = self.daemon.program.wait();
        assert_eq!(ended.code(), Some(0), "how ekeyd ended after SIGTERM");
    }
}
