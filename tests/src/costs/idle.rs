//! The daemon's load at a key's own rate: wake-ups and processor time, and what health tests and observation add.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::frame::Running;
use super::{Bound, Figure, Missing, ORIGINAL, Subject, Unit, Which};
use crate::daemon::DaemonPlan;
use crate::http::{self, Observed};
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, Plug};
use crate::usage::{context_switches, processor_time};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "idle", title: "wake-ups and processor time at a key's own rate", measure: idle },
    Subject { name: "sim-idle", title: "processor time of software keys without a host", measure: sims },
    Subject { name: "observed", title: "what health tests, EGD, HTTP and scrapes add at that rate", measure: observed },
];

/// How long.
const SPAN: Duration = Duration::from_secs(30);
/// How often Prometheus scrapes by default.
const SCRAPED_EVERY: Duration = Duration::from_secs(15);
/// Context switches a second.
const MOST_SWITCHES: f64 = 6.0;
/// Per cent of a core.
const MOST_SHARE: f64 = 0.03;
/// Per cent of a core that health tests, EGD, HTTP and a scrape every 15 s may add.
const MOST_MORE: f64 = 0.1;

fn idle() -> Result<Vec<Figure>, Missing> {
    let scratch = Scratch::make();
    let [original, ours] = [Which::Original, Which::Ours].map(|which| {
        let plan = KeyPlan::named(&format!("{which:?}")).rate(126);
        let key = plan.plug_in(&scratch);
        let mut running = Running::start(which, &scratch, &plan, &key);
        running.await_blocks(2 * 126);
        (running, key)
    });
    // Both at the same time, each with its own key.
    let mut processes = [original, ours].map(|(mut running, key)| (running.program().id(), running, key));
    let look = |processes: &[(u32, Running, _); 2]| {
        [0, 1].map(|at| (processor_time(processes[at].0), context_switches(processes[at].0)))
    };
    let (started, before) = (Instant::now(), look(&processes));
    sleep(SPAN);
    let (seconds, after) = (started.elapsed().as_secs_f64(), look(&processes));
    for (_, running, _) in &mut processes {
        assert_eq!(running.program().ended(), None, "a daemon ended");
    }
    let [original, ours] = [0, 1].map(|at| {
        let share = (after[at].0 - before[at].0).as_secs_f64() / seconds * 100.0;
        ((after[at].1 - before[at].1) as f64 / seconds, share)
    });
    let switches = Figure::new("context switches a second at 126 frames/s", Unit::PerSecond, ours.0);
    let share = Figure::new("of a core at 126 frames/s", Unit::PercentOfCore, ours.1);
    Ok(vec![
        switches.against(ORIGINAL, original.0).bound(Bound::Most(MOST_SWITCHES)),
        share.against(ORIGINAL, original.1).bound(Bound::Most(MOST_SHARE)),
    ])
}

/// Measures the load of `ekey-sim` while no host asks.
fn sims() -> Result<Vec<Figure>, Missing> {
    const QUIET: Duration = Duration::from_secs(5);
    let scratch = Scratch::make();
    let plugs = [Plug::Unix, Plug::Pty, Plug::UsbRedir];
    let keys = plugs.map(|plug| KeyPlan::named(&format!("{plug:?}")).plug(plug).plug_in(&scratch));
    let used = || keys.each_ref().map(|key| processor_time(key.program.id()));
    let (started, before) = (Instant::now(), used());
    sleep(QUIET);
    let (seconds, after) = (started.elapsed().as_secs_f64(), used());
    let figures = [0, 1, 2].map(|at| {
        let share = (after[at] - before[at]).as_secs_f64() / seconds * 100.0;
        let what = format!("of a core, ekey-sim without a host, {:?}", plugs[at]);
        Figure::new(what, Unit::PercentOfCore, share).bound(Bound::Most(10.0))
    });
    Ok(figures.into())
}

fn observed() -> Result<Vec<Figure>, Missing> {
    let [plain_place, seen_place] = [(); 2].map(|()| Scratch::make());
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&plain_place);
    // History and books are always kept; both daemons have them.
    let mut plain = DaemonPlan::default().key(&plan, &key).extra("[health]\nenabled = false\n").start(&plain_place);
    let mut seen = Observed::start(&seen_place, &plan, |plan| plan);
    for (daemon, place) in [(&mut plain, &plain_place), (&mut seen.daemon, &seen_place)] {
        daemon.await_state(place, "running");
    }
    let used = || [&plain, &seen.daemon].map(|daemon| processor_time(daemon.program.id()));
    let (started, before) = (Instant::now(), used());
    while started.elapsed() < SPAN {
        assert_eq!(http::get(seen.address, "/metrics", "Accept: application/openmetrics-text\r\n").code, 200);
        sleep(SCRAPED_EVERY.min(SPAN.saturating_sub(started.elapsed())));
    }
    let (seconds, after) = (started.elapsed().as_secs_f64(), used());
    let [without, with] = [0, 1].map(|at| (after[at] - before[at]).as_secs_f64() / seconds * 100.0);
    let figure =
        Figure::new("of a core with health tests, EGD, HTTP and a scrape each 15 s", Unit::PercentOfCore, with);
    Ok(vec![figure.against("without", without).bound(Bound::MostMore(MOST_MORE))])
}
