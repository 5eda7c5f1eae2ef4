//! How soon people and programs get an answer: the status, a line of the control language, a page next to idle
//! connections.

use std::net::TcpStream;
use std::time::Instant;

use super::{Bound, Figure, Missing, Subject, Unit, median};
use crate::binaries;
use crate::control::ControlClient;
use crate::daemon::DaemonPlan;
use crate::http::{self, Observed};
use crate::mutations::{Chance, STATEMENTS, mutated};
use crate::scratch::Scratch;
use crate::serving::running;
use crate::software_key::KeyPlan;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "status", title: "how long `ekey-ctl status` takes", measure: status },
    Subject { name: "control", title: "the slowest answer to mutated lines", measure: control },
    Subject { name: "http-idle", title: "answers by HTTP with 200 idle connections", measure: idle },
];

fn status() -> Result<Vec<Figure>, Missing> {
    let (_scratch, _key, daemon) = running(&KeyPlan::named("key").rate(126), DaemonPlan::egd);
    let took = |arguments: &[&str]| {
        median([(); 9].map(|()| {
            let mut command = binaries::command("ekey-ctl");
            let started = Instant::now();
            let _ = command.args(arguments).output().expect("ekey-ctl runs");
            started.elapsed().as_secs_f64()
        }))
    };
    let socket = daemon.control.display().to_string();
    let (bare, ours) = (took(&["--version"]), took(&["status", "--socket", &socket]));
    let figure = Figure::new("`ekey-ctl status`, median of 9", Unit::Seconds, ours);
    Ok(vec![figure.against("`ekey-ctl --version`", bare).bound(Bound::Most(1.0))])
}

fn control() -> Result<Vec<Figure>, Missing> {
    let scratch = Scratch::make();
    let daemon = DaemonPlan::default().start(&scratch);
    let mut client = ControlClient::connect(&daemon.control).expect("a connection");
    let mut slowest: f64 = 0.0;
    let mut chance = Chance(0x5eed_0001);
    for _ in 0..2000 {
        let line = mutated(&mut chance, &STATEMENTS).replace(['\n', '\r'], " ");
        let asked = Instant::now();
        let answer = client.say(&line);
        slowest = slowest.max(asked.elapsed().as_secs_f64());
        if answer.is_err() || line.len() > 4096 {
            client = ControlClient::connect(&daemon.control).expect("a connection");
        }
    }
    Ok(vec![Figure::new("slowest of 2,000 answers", Unit::Seconds, slowest).bound(Bound::Most(2.0))])
}

fn idle() -> Result<Vec<Figure>, Missing> {
    let scratch = Scratch::make();
    let running = Observed::start(&scratch, &KeyPlan::named("key").rate(126), |plan| plan);
    let twenty = || {
        let started = Instant::now();
        (0..20).for_each(|_| assert_eq!(http::get(running.address, "/metrics", "").code, 200));
        started.elapsed().as_secs_f64()
    };
    let alone = twenty();
    let idle: Vec<TcpStream> = (0..200).filter_map(|_| http::connect(running.address).ok()).collect();
    let figure = Figure::new("20 answers with 200 idle connections", Unit::Seconds, twenty());
    drop(idle);
    Ok(vec![figure.against("without them", alone).bound(Bound::Most(9.0))])
}
