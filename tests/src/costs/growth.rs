//! The memory that the daemon keeps for its clients: anonymous memory before and after.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use super::{Bound, Figure, Missing, Subject, Unit};
use crate::control::ControlClient;
use crate::daemon::{Daemon, DaemonPlan};
use crate::floods::unread_pages;
use crate::http::{self, Observed};
use crate::mutations::{Chance, LINES, STATEMENTS, mutated};
use crate::scratch::Scratch;
use crate::serving::{self, ours};
use crate::software_key::{KeyPlan, SoftwareKey};
use crate::usage::memory;
use crate::{await_until, load};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "growth-control", title: "memory after ten thousand mutated lines", measure: control },
    Subject { name: "growth-boast", title: "memory after a key that claims 2^32 of everything", measure: boast },
    Subject { name: "growth-http", title: "memory with 300 clients that read no answer", measure: deaf },
    Subject { name: "growth-connections", title: "memory after 50,000 connections in a row", measure: connections },
    Subject { name: "growth-floods", title: "memory after a megabyte of nonsense at each listener", measure: floods },
];

/// Compares a daemon's anonymous memory with `before`, and with what may have been added, in KB.
fn grown(what: &str, daemon: &Daemon, before: u64, most_more: f64) -> Vec<Figure> {
    let after = memory(daemon.program.id()).own;
    let figure = Figure::new(what, Unit::Kilobytes, after as f64);
    vec![figure.against("before", before as f64).bound(Bound::MostMore(most_more))]
}

fn running(plan: &KeyPlan, more: impl FnOnce(DaemonPlan) -> DaemonPlan) -> (Scratch, SoftwareKey, Daemon, u64) {
    let (scratch, key, daemon) = serving::running(plan, more);
    let before = memory(daemon.program.id()).own;
    (scratch, key, daemon, before)
}

fn control() -> Result<Vec<Figure>, Missing> {
    let (_scratch, _key, daemon, before) = running(&KeyPlan::named("key").rate(126), |plan| plan);
    let mut chance = Chance(0x5eed_0001);
    let mut client = ControlClient::connect(&daemon.control).expect("a connection");
    for _ in 0..LINES {
        let line = mutated(&mut chance, &STATEMENTS).replace(['\n', '\r'], " ");
        // The daemon hangs up on a line that is too long.
        if client.say(&line).is_err() || line.len() > 4096 {
            client = ControlClient::connect(&daemon.control).expect("a connection");
        }
    }
    Ok(grown("anonymous memory after 10,000 mutated lines", &daemon, before, 16.0 * 1024.0))
}

fn boast() -> Result<Vec<Figure>, Missing> {
    let (scratch, _key, daemon, before) = running(&KeyPlan::named("key").rate(126).fault("boast:2"), DaemonPlan::egd);
    await_until("nonsense in the information", || {
        (daemon.status(&scratch).count("/keys/0/frames/malformed") >= 4).then_some(())
    });
    Ok(grown("anonymous memory after it", &daemon, before, 1024.0))
}

fn deaf() -> Result<Vec<Figure>, Missing> {
    let scratch = Scratch::make();
    let running = Observed::start(&scratch, &KeyPlan::named("key").rate(126), |plan| plan);
    assert_eq!(http::get(running.address, "/", "").code, 200);
    let before = memory(running.daemon.program.id()).own;
    let deaf = unread_pages(running.address);
    assert_eq!(http::get(running.address, "/", "").code, 200);
    let figures = grown("anonymous memory with them", &running.daemon, before, 2048.0);
    drop(deaf);
    Ok(figures)
}

fn connections() -> Result<Vec<Figure>, Missing> {
    // A slow key, so that most of them leave while they wait.
    let (scratch, _key, daemon) = ours(&KeyPlan::named("key").rate(100));
    let row = |count: u32| {
        for number in 0..count {
            let mut stream = UnixStream::connect(&daemon.egd).expect("a connection");
            if number % 2 == 0 {
                drop(stream.write_all(&[0x02, 255]));
            }
        }
        await_until("all clients to leave", || (daemon.status(&scratch).count("/egd/0/clients") == 0).then_some(()));
    };
    load::allow_open_files(1000);
    row(2000);
    let before = memory(daemon.program.id()).own;
    row(50_000);
    Ok(grown("anonymous memory after them", &daemon, before, 512.0))
}

fn floods() -> Result<Vec<Figure>, Missing> {
    let scratch = Scratch::make();
    let Observed { daemon, address, key: _key } =
        Observed::start(&scratch, &KeyPlan::named("key").rate(126), |plan| plan);
    let before = memory(daemon.program.id()).own;
    let flood = |mut stream: Box<dyn std::io::Write>, words: &[u8]| {
        // The daemon hangs up on each at some point, or reads no more.
        let _ = stream.write_all(&words.repeat((1 << 20) / words.len()));
    };
    let unix = |path| {
        let stream = UnixStream::connect(path).expect("a connection");
        stream.set_write_timeout(Some(std::time::Duration::from_secs(1))).expect("a timeout");
        Box::new(stream)
    };
    flood(unix(&daemon.control), b"A");
    flood(unix(&daemon.egd), &[3, 65, 65]);
    flood(unix(&daemon.egd), &[2, 122]);
    flood(Box::new(http::connect(address).expect("a connection")), b"GET / HTTP/1.1\r\nX: AAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert!(daemon.ctl(&scratch, &["list"]).code == Some(0), "it does not serve on");
    Ok(grown("anonymous memory after them", &daemon, before, 1024.0))
}
