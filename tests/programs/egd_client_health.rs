//! Bytes that are fetched from EGD servers pass the health tests before anything uses them, and are credited only if the
//! configuration says so.

use std::path::PathBuf;
use std::time::Duration;

use ekey_tests::blocks;
use ekey_tests::books::{OnTheWay, assert_books_add_up};
use ekey_tests::egd::EgdClient;
use ekey_tests::egd_server::{EgdServer, Manner, random_byte};
use ekey_tests::{Daemon, DaemonPlan, Scratch, Status, await_until};

/// Gives the byte at a place of a stream.
type Bytes = fn(u64) -> u8;

/// Servers whose bytes are not random from the first one on.
const BAD: [(&str, Bytes); 4] = [
    ("zeros", |_| 0),
    ("one block of 64 bytes over and over", |place| random_byte(place % 64)),
    ("a counter", |place| place as u8),
    ("60 % ones", |place| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(random_byte(place * 8 + bit) < 154))),
];

#[test]
fn nothing_of_a_bad_server_gets_anywhere() {
    for (what, source) in BAD {
        let server = EgdServer::start(Manner::Sends(source));
        let fetching = Fetching::from(&[&server], "");
        let status = fetching.await_retired(0);
        assert_eq!(fetching.output().len(), 0, "bytes in the file, of {what}");
        assert_eq!(fetching.client().take_available(255).expect("an answer").len(), 0, "bytes to a client, of {what}");
        assert_eq!(status.count("/pool/received_bytes"), 0, "{what}: {status}");
        assert_eq!(status.count("/kernel/given_bytes"), 0, "{what}: {status}");
        fetching.asked_for_no_credit(&status);
        assert!(!fetching.is_announced(), "{what} is announced as entropy");
        assert_eq!(status.code(), Some(2), "{what}: {status}");
        let screen = fetching.screen();
        assert!(screen.contains("its bytes fail the test") && screen.contains(&server.place()), "{what}: {screen}");
        assert!(!screen.contains("All is well"), "{what}: {screen}");
        assert_books_add_up(&fetching.status(), OnTheWay::Some);
    }
}

#[test]
fn nothing_is_used_before_the_first_block_is_whole() {
    let server = EgdServer::start(Manner::Slow(2499, Duration::from_secs(3600)));
    let fetching = Fetching::from(&[&server], "");
    let status = await_until("all but the last byte of a block", || {
        let status = fetching.status();
        (status.count("/egd_client/books/held_back_bytes") == 2499).then_some(status)
    });
    assert_eq!(status.count("/pool/received_bytes"), 0, "{status}");
    assert_eq!((status.count("/kernel/mixed_bytes"), status.code()), (0, Some(2)), "{status}");
    assert_eq!(fetching.client().take_available(255).expect("an answer").len(), 0, "bytes to a client");
    assert!(!fetching.is_announced(), "untested bytes are announced as entropy");
    assert!(!fetching.screen().contains("All is well"), "{}", fetching.screen());
    assert_books_add_up(&status, OnTheWay::Some);
}

#[test]
fn a_server_that_goes_bad_is_left_for_the_next() {
    let bad = EgdServer::start(Manner::Sends(|place| if place < 5000 { random_byte(place) } else { 0 }));
    let good = EgdServer::start(Manner::Serves);
    let fetching = Fetching::from(&[&bad, &good], "");
    fetching.await_retired(0);
    let status = await_until("the next server to serve", || {
        let status = fetching.status();
        (status.at("/egd_client/tests/1/passed") == true).then_some(status)
    });
    assert_eq!(status.at("/egd_client/server"), good.place().as_str(), "{status}");
    assert_eq!(status.code(), Some(1), "a server of the list is retired: {status}");
    await_until("bytes of both in the file", || (fetching.output().len() >= 7000).then_some(()));
    let output = fetching.output();
    assert!(!output.windows(6).any(|bytes| bytes == [0; 6]), "zeros of the bad server were served");
    let first = bad.sent();
    let common = output.iter().zip(&first).take_while(|(seen, sent)| seen == sent).count();
    // The kernel has the freshest 64 bytes of the first block.
    assert!((2436..=5005).contains(&common), "{common} bytes of the first server came first");
    let screen = fetching.screen();
    assert!(screen.contains(&format!("EGD server {}: its bytes fail the test", bad.place())), "{screen}");
    assert!(!screen.contains("All is well"), "{screen}");
    assert_books_add_up(&fetching.status(), OnTheWay::Some);
}

#[test]
fn a_server_that_is_good_again_is_readmitted() {
    let server = EgdServer::start(Manner::Sends(|place| if place < 500 { 0 } else { random_byte(place) }));
    let fetching = Fetching::from(&[&server], "request-bytes = 255\n[health]\ngood-blocks = 64");
    let status = await_until("the server to be readmitted", || {
        let status = fetching.status();
        (status.at("/egd_client/tests/0/passed") == true).then_some(status)
    });
    assert_eq!(status.count("/egd_client/tests/0/health/times_put_aside"), 1, "{status}");
    assert!(status.count("/egd_client/books/put_aside_bytes") >= 64 * 2500, "{status}");
    await_until("bytes in the file", || (fetching.output().len() >= 100).then_some(()));
    assert_eq!(fetching.status().code(), Some(0), "{}", fetching.status());
    assert_books_add_up(&fetching.status(), OnTheWay::Some);
}

#[test]
fn plain_bytes_are_served_and_mixed_without_credit() {
    let server = EgdServer::start(Manner::Serves);
    let fetching = Fetching::from(&[&server], "");
    assert_eq!(fetching.client().take(64).expect("it serves").len(), 64);
    let status = fetching.await_mixed();
    assert_eq!(status.at("/egd_client/credited"), false, "{status}");
    fetching.asked_for_no_credit(&status);
    assert!(fetching.screen().contains("none in the kernel"), "{}", fetching.screen());
    assert!(fetching.is_announced() && status.code() == Some(0), "tested bytes are entropy: {status}");
    assert_books_add_up(&status, OnTheWay::Some);
}

#[test]
fn plain_bytes_are_credited_if_the_file_says_so() {
    let server = EgdServer::start(Manner::Serves);
    let fetching = Fetching::from(&[&server], "credit = \"all\"");
    let status = fetching.await_mixed();
    assert_eq!(status.at("/egd_client/credited"), true, "{status}");
    // It asks for the credit, and this daemon lacks the right.
    assert_eq!(status.at("/kernel/privileged"), false, "{status}");
}

/// A daemon without a key and without CAP_SYS_ADMIN, with every outlet.
struct Fetching {
    daemon: Daemon,
    file: PathBuf,
    scratch: Scratch,
}

impl Fetching {
    fn from(servers: &[&EgdServer], lines: &str) -> Self {
        let scratch = Scratch::make();
        let file = scratch.path("entropy");
        let places: Vec<String> = servers.iter().map(|server| server.place()).collect();
        let plan = DaemonPlan::default().egd().file(&file, None).uncredited_kernel("");
        let daemon = plan.fetch_from(&places, &format!("longest-pause-s = 1\n{lines}")).start(&scratch);
        Self { daemon, file, scratch }
    }

    fn status(&self) -> Status {
        self.daemon.status(&self.scratch)
    }

    fn screen(&self) -> String {
        self.daemon.ctl(&self.scratch, &["status"]).stdout
    }

    fn output(&self) -> Vec<u8> {
        blocks::read(&self.file)
    }

    fn client(&self) -> EgdClient {
        EgdClient::connect(&self.daemon.egd).expect("it listens")
    }

    fn await_retired(&self, server: usize) -> Status {
        await_until("the server to be retired", || {
            let status = self.status();
            status.at(&format!("/egd_client/tests/{server}/health/put_aside")).is_object().then_some(status)
        })
    }

    fn await_mixed(&self) -> Status {
        await_until("the kernel to be fed", || {
            let status = self.status();
            (status.count("/kernel/mixed_bytes") > 0).then_some(status)
        })
    }

    /// Whether the daemon has reported its first entropy to the service manager, which it also logs.
    fn is_announced(&self) -> bool {
        self.daemon.program.stderr().contains("the first entropy")
    }

    /// Without the right to credit, the status would show an attempt.
    fn asked_for_no_credit(&self, status: &Status) {
        assert_eq!(status.count("/kernel/credited_bits"), 0, "{status}");
        assert_eq!(status.at("/kernel/privileged"), true, "it tried to credit: {status}");
    }
}
