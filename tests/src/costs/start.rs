//! How soon: the first entropy after the start, entropy at a key's own rate, and the end.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::frame::Running;
use super::{Bound, Figure, Missing, ORIGINAL, Subject, Unit, medians};
use crate::blocks::blocks_in;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, Plug};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "first-entropy", title: "from the start to the first entropy", measure: first_entropy },
    Subject { name: "natural-rate", title: "three seconds' worth of a key at its own rate", measure: natural_rate },
    Subject { name: "stop", title: "from SIGTERM to the end", measure: stop },
];

/// One frame at 126 a second: where in the key's rhythm a daemon starts is chance.
const CHANCE: f64 = 0.008;

fn first_entropy() -> Result<Vec<Figure>, Missing> {
    let (original, ours) = medians::<5>(|which| {
        let scratch = Scratch::make();
        let plan = KeyPlan::named("start").rate(126);
        let key = plan.plug_in(&scratch);
        let started = Instant::now();
        let mut running = Running::start(which, &scratch, &plan, &key);
        while blocks_in(&running.output) == 0 {
            assert!(running.program().ended().is_none(), "{which:?} brought no entropy");
            sleep(Duration::from_micros(200));
        }
        started.elapsed().as_secs_f64()
    });
    let figure = Figure::new("start to first entropy at 126 frames/s, median of 5", Unit::Seconds, ours);
    Ok(vec![figure.against(ORIGINAL, original).bound(Bound::MostMore(CHANCE))])
}

fn natural_rate() -> Result<Vec<Figure>, Missing> {
    let (original, ours) = medians::<1>(|which| {
        let scratch = Scratch::make();
        let plan = KeyPlan::named("key").plug(Plug::Pty).rate(126);
        let key = plan.plug_in(&scratch);
        let mut running = Running::start(which, &scratch, &plan, &key);
        running.await_blocks(1);
        let started = Instant::now();
        running.await_blocks(3 * 126);
        started.elapsed().as_secs_f64()
    });
    let figure = Figure::new("378 frames from a key that sends 126 a second", Unit::Seconds, ours);
    Ok(vec![figure.against(ORIGINAL, original).bound(Bound::Most(6.0))])
}

fn stop() -> Result<Vec<Figure>, Missing> {
    let (original, ours) = medians::<3>(|which| {
        let scratch = Scratch::make();
        let plan = KeyPlan::named("key").rate(126);
        let key = plan.plug_in(&scratch);
        let mut running = Running::start(which, &scratch, &plan, &key);
        running.await_blocks(10);
        let asked = Instant::now();
        running.program().signal(Signal::SIGTERM);
        running.program().wait();
        asked.elapsed().as_secs_f64()
    });
    let figure = Figure::new("SIGTERM to the end, median of 3", Unit::Seconds, ours);
    Ok(vec![figure.against(ORIGINAL, original).bound(Bound::Most(2.0))])
}
