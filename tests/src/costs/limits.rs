//! Whether the limits give what they promise: a peer's burst and rate, and the file's share.

use std::time::Duration;

use super::{Bound, Figure, Missing, Subject, Unit};
use crate::await_until;
use crate::daemon::DaemonPlan;
use crate::load::{Habit, Load, Measured};
use crate::scratch::Scratch;
use crate::serving::ours_with;
use crate::software_key::KeyPlan;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "limit-egd", title: "a peer's burst and rate", measure: egd },
    Subject { name: "limit-expand", title: "a peer's rate of expanded bytes", measure: expand },
    Subject { name: "share-file", title: "the file's share with greedy clients", measure: file },
];

fn given(measured: &Measured) -> f64 {
    measured.bytes.iter().sum::<u64>() as f64
}

fn egd() -> Result<Vec<Figure>, Missing> {
    const RATE: f64 = 2000.0;
    const BURST: f64 = 4000.0;
    let lines = format!("bytes-per-s-per-peer = {RATE}\nburst-bytes-per-peer = {BURST}");
    let (_scratch, _key, daemon) = ours_with(&KeyPlan::named("key").rate(4000), |plan| plan.egd_lines(&lines));
    let mut load = Load::new().with(20, Habit::greedy(), &daemon.egd);
    let [first, then] = [1, 4].map(|seconds| load.run_for(Duration::from_secs(seconds)));
    let expected = [BURST + RATE * first.elapsed.as_secs_f64(), RATE * then.elapsed.as_secs_f64()];
    let parts =
        [("burst and rate in the first second", &first, expected[0]), ("rate in the four after", &then, expected[1])];
    let mut figures: Vec<Figure> = parts
        .into_iter()
        .map(|(what, measured, expected)| {
            let part = given(measured) / expected;
            Figure::new(what, Unit::Times, part).against("as configured", 1.0).bound(Bound::Within(0.9, 1.05))
        })
        .collect();
    let (least, most) = (then.bytes.iter().min(), then.bytes.iter().max());
    let spread = most.zip(least).map_or(f64::NAN, |(most, least)| (most - least) as f64);
    figures
        .push(Figure::new("bytes between the first and the last of 20", Unit::Count, spread).bound(Bound::Most(256.0)));
    Ok(figures)
}

fn expand() -> Result<Vec<Figure>, Missing> {
    const RATE: f64 = 20_000.0;
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let socket = scratch.path("expand.sock");
    let lines = format!("bytes-per-s-per-peer = {RATE}\nburst-bytes-per-peer = 4000");
    let daemon = DaemonPlan::default().key(&plan, &key).egd_lines(&lines).egd();
    let daemon = daemon.extra(&format!("[expand]\nlisten = [\"unix:{}\"]\n", socket.display())).start(&scratch);
    await_until("a seed", || (daemon.status(&scratch).at("/expand/seeded") == true).then_some(()));
    let mut load = Load::new().with(20, Habit::greedy(), &socket);
    let _ = load.run_for(Duration::from_secs(1));
    let measured = load.run_for(Duration::from_secs(4));
    let part = given(&measured) / (RATE * measured.elapsed.as_secs_f64());
    let fair = given(&measured) / 20.0;
    let off = measured.bytes.iter().map(|bytes| (*bytes as f64 / fair - 1.0).abs()).fold(0.0, f64::max);
    Ok(vec![
        Figure::new("rate of 20 clients of a peer", Unit::Times, part)
            .against("as configured", 1.0)
            .bound(Bound::Within(0.85, 1.1)),
        Figure::new("how far one of them is off a fair share", Unit::Times, off).bound(Bound::Most(0.25)),
    ])
}

fn file() -> Result<Vec<Figure>, Missing> {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("key").rate(2000);
    let key = plan.plug_in(&scratch);
    let daemon = DaemonPlan::default().key(&plan, &key).file(&scratch.path("entropy"), None);
    let daemon = daemon.egd_lines("share-percent = 75").egd().start(&scratch);
    let mut load = Load::new().with(20, Habit::greedy(), &daemon.egd);
    let _ = load.run_for(Duration::from_secs(1));
    // Both from one moment; what a client has read and what is in the file would be from two.
    let given = || {
        let status = daemon.status(&scratch);
        ["/file/given_bytes", "/egd/0/served_bytes"].map(|place| status.count(place))
    };
    let before = given();
    let _ = load.run_for(Duration::from_secs(4));
    let after = given();
    let [file, clients] = [0, 1].map(|at| (after[at] - before[at]) as f64);
    let figure = Figure::new("the file's part of all, with share-percent = 75", Unit::Times, file / (file + clients));
    Ok(vec![figure.against("as configured", 0.25).bound(Bound::Within(0.2, 0.3))])
}
