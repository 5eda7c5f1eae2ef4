//! What it costs to judge a key and to let others look: processor time at a key's natural rate, and memory.

use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_tests::http::Observed;
use ekey_tests::tries::{due, once_in_three};
use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, await_until, http, usage};
use serde_json::Value;

/// How long processor time is measured.
const SPAN: Duration = Duration::from_secs(30);
/// How often Prometheus looks, as its documentation has it.
const SCRAPED_EVERY: Duration = Duration::from_secs(15);

#[test]
fn a_daemon_that_judges_and_is_looked_at_takes_at_most_a_thousandth_of_a_core_more() {
    let [plain_place, seen_place] = [(); 2].map(|()| Scratch::make());
    let plan = KeyPlan::named("key").rate(126);
    let key = plan.plug_in(&plain_place);
    // History and books are always kept; both daemons have them.
    let mut plain = DaemonPlan::default().key(&plan, &key).extra("[health]\nenabled = false\n").start(&plain_place);
    let mut seen = Observed::start(&seen_place, &plan, |plan| plan);
    for (daemon, place) in [(&mut plain, &plain_place), (&mut seen.daemon, &seen_place)] {
        daemon.await_state(place, "running", Duration::from_secs(30));
    }
    once_in_three(|| {
        let [without, with] = shares(&plain, &seen);
        println!("{without:.3} % of a core without, {with:.3} % with health tests, EGD, HTTP and a scrape each 15 s");
        due(with - without <= 0.1, || format!("{without:.3} % of a core without, {with:.3} % with"))
    });
}

/// The part of a core that each takes, in per cent, the second one while it is looked at.
fn shares(plain: &Daemon, seen: &Observed) -> [f64; 2] {
    let used = || [plain, &seen.daemon].map(|daemon| usage::processor_time(daemon.program.id()));
    let (started, before) = (Instant::now(), used());
    let accept = "Accept: application/openmetrics-text\r\n";
    while started.elapsed() < SPAN {
        assert_eq!(http::get(seen.address, "/metrics", accept).code, 200);
        sleep(SCRAPED_EVERY.min(SPAN.saturating_sub(started.elapsed())));
    }
    let (elapsed, after) = (started.elapsed().as_secs_f64(), used());
    [0, 1].map(|index| (after[index] - before[index]).as_secs_f64() / elapsed * 100.0)
}

#[test]
fn with_everything_on_and_the_pool_full_it_takes_at_most_six_megabytes() {
    let scratch = Scratch::make();
    let file = scratch.path("entropy");
    let everything = |plan: DaemonPlan| plan.file(&file, Some(100));
    let Observed { daemon, address, key: _key } = Observed::start(&scratch, &KeyPlan::named("key"), everything);
    await_until("a full pool", Duration::from_secs(60), || {
        let status: Value = serde_json::from_str(&http::get(address, "/status.json", "").body).ok()?;
        (status["pool"]["bytes"].as_u64() > Some(1_000_000)).then_some(())
    });
    for _ in 0..50 {
        for path in ["/", "/metrics", "/status.json", "/history.json", "/?range=24h"] {
            assert_eq!(http::get(address, path, "").code, 200, "{path}");
        }
    }
    let memory = usage::memory(daemon.program.id());
    println!("{} KB resident, {} KB at the most", memory.resident, memory.peak);
    assert!(memory.peak <= 6 * 1024, "{memory:?}");
}
