//! The cost of floods: a key that sends garbage, and clients that ask without reading.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{Bound, Figure, Missing, Subject, Unit};
use crate::await_until;
use crate::daemon::DaemonPlan;
use crate::egd::EgdClient;
use crate::floods::{Flood, key_of_garbage};
use crate::scratch::Scratch;
use crate::serving::running;
use crate::software_key::KeyPlan;
use crate::usage::processor_time;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "garbage", title: "a key that floods garbage", measure: garbage },
    Subject { name: "egd-flood", title: "answers and the end while clients flood the EGD server", measure: egd },
];

fn garbage() -> Result<Vec<Figure>, Missing> {
    const SPAN: Duration = Duration::from_secs(10);
    let scratch = Scratch::make();
    let path = scratch.path("mad.key");
    key_of_garbage(&path);
    let daemon = DaemonPlan::default().path(&path).start(&scratch);
    let read = || daemon.status(&scratch).count("/keys/0/bytes_read");
    await_until("the flood", || (read() > 0).then_some(()));
    let (before, read_before) = (processor_time(daemon.program.id()), read());
    let started = Instant::now();
    sleep(SPAN);
    let used = processor_time(daemon.program.id()) - before;
    let share = used.as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
    Ok(vec![
        Figure::new("of a core while a key floods garbage", Unit::PercentOfCore, share).bound(Bound::Most(2.0)),
        Figure::new("bytes of garbage read in 10 s", Unit::Count, (read() - read_before) as f64)
            .bound(Bound::Least(500_000.0)),
    ])
}

fn egd() -> Result<Vec<Figure>, Missing> {
    let (scratch, _key, mut daemon) = running(&KeyPlan::named("key").rate(126), DaemonPlan::egd);
    let slowest = || {
        let answers = (0..5).map(|_| {
            let before = Instant::now();
            let mut client = EgdClient::connect(&daemon.egd).expect("the EGD socket");
            client.available_bits().expect("an answer");
            let _ = daemon.status(&scratch);
            before.elapsed().as_secs_f64()
        });
        answers.fold(0.0, f64::max)
    };
    let alone = slowest();
    let flood = Flood::of_requests(&daemon.egd);
    await_until("the floods", || (daemon.status(&scratch).count("/egd/0/requests") > 10_000).then_some(()));
    let loaded = slowest();
    let asked = Instant::now();
    daemon.program.signal(Signal::SIGTERM);
    daemon.program.wait();
    let end = asked.elapsed().as_secs_f64();
    flood.end();
    Ok(vec![
        Figure::new("slowest of 5 answers, each with a status", Unit::Seconds, loaded)
            .against("without a flood", alone)
            .bound(Bound::Most(1.0)),
        Figure::new("SIGTERM to the end", Unit::Seconds, end).bound(Bound::Most(2.0)),
    ])
}
