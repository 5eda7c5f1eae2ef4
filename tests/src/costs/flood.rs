//! The cost of floods: a key that sends garbage, one that sends valid frames without a secret, and clients that ask
//! without reading.

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
use crate::software_key::{KeyPlan, SECOND_LONG_TERM_KEY, SECOND_SERIAL};
use crate::usage::processor_time;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "garbage", title: "a key that floods garbage", measure: garbage },
    Subject { name: "key-flood", title: "a key that floods valid frames under the zero key", measure: valid },
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

fn valid() -> Result<Vec<Figure>, Missing> {
    const SPAN: Duration = Duration::from_secs(15);
    let mut figures = Vec::new();
    for kind in ["serials", "badness", "generators-bad", "all"] {
        let scratch = Scratch::make();
        let good = KeyPlan::named("good").rate(126);
        let hostile = KeyPlan::named("hostile").identity(SECOND_SERIAL, SECOND_LONG_TERM_KEY).flood(kind);
        let (good_key, hostile_key) = (good.plug_in(&scratch), hostile.plug_in(&scratch));
        let frames = |with: bool| {
            let plan = DaemonPlan::default().key(&good, &good_key);
            let plan = if with { plan.unknown_key(&hostile_key) } else { plan };
            let mut daemon = plan.start(&scratch);
            daemon.await_state(&scratch, "running");
            let sample = || (processor_time(daemon.program.id()), daemon.status(&scratch).key(0).frames("ok"));
            let ((time_before, before), started) = (sample(), Instant::now());
            sleep(SPAN);
            let ((time_after, after), seconds) = (sample(), started.elapsed().as_secs_f64());
            let lines = daemon.program.stderr().lines().filter(|line| line.contains("hostile.key")).count();
            ((time_after - time_before).as_secs_f64() / seconds, (after - before) as f64 / seconds, lines)
        };
        let ((share_alone, rate_alone, _), (share, rate, lines)) = (frames(false), frames(true));
        let what = |what: &str| format!("{what}, flood of {kind}");
        figures.extend([
            Figure::new(what("of a core"), Unit::PercentOfCore, share * 100.0)
                .against("without the flood", share_alone * 100.0)
                .bound(Bound::MostMore(2.0)),
            Figure::new(what("frames of another key"), Unit::PerSecond, rate)
                .against("without the flood", rate_alone)
                .bound(Bound::LeastTimes(0.95)),
            Figure::new(what("lines of the log in a quarter of a minute"), Unit::Count, lines as f64)
                .bound(Bound::Most(10.0)),
        ]);
    }
    Ok(figures)
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
