//! What it costs to judge a key and to let others look: processor time at a key's natural rate, and memory.

use std::thread::sleep;
use std::time::{Duration, Instant};

use ekey_tests::{Daemon, DaemonPlan, KeyPlan, Scratch, SoftwareKey, await_until, http, usage};
use serde_json::Value;

/// How long processor time is measured.
const SPAN: Duration = Duration::from_secs(30);
/// How often Prometheus looks, as its documentation has it.
const SCRAPED_EVERY: Duration = Duration::from_secs(15);

/// A daemon with nothing but a key, or with that and what is said here.
fn start(scratch: &Scratch, name: &str, rate: u32, with: impl Fn(DaemonPlan) -> DaemonPlan) -> (Daemon, SoftwareKey) {
    let plan = KeyPlan::named(name).rate(rate);
    let key = plan.plug_in(scratch);
    let mut daemon = with(DaemonPlan::default().key(&plan, &key)).start(scratch);
    daemon.await_state(scratch, "running", Duration::from_secs(30));
    (daemon, key)
}

#[test]
fn a_daemon_that_judges_and_is_looked_at_takes_at_most_a_thousandth_of_a_core_more() {
    let [plain_place, seen_place] = [(); 2].map(|()| Scratch::make());
    let address = http::free_port();
    // History and books are always kept; both daemons have them.
    let (plain, _key) = start(&plain_place, "plain", 126, |plan| plan.extra("[health]\nenabled = false\n"));
    let (seen, _other_key) = start(&seen_place, "seen", 126, |plan| plan.egd().extra(&http::section(address)));
    let used = || [&plain, &seen].map(|daemon| usage::processor_time(daemon.program.id()));
    let (started, before) = (Instant::now(), used());
    let accept = "Accept: application/openmetrics-text\r\n";
    while started.elapsed() < SPAN {
        assert_eq!(http::get(address, "/metrics", accept).code, 200);
        sleep(SCRAPED_EVERY.min(SPAN.saturating_sub(started.elapsed())));
    }
    let (elapsed, after) = (started.elapsed().as_secs_f64(), used());
    let share = |index: usize| (after[index] - before[index]).as_secs_f64() / elapsed * 100.0;
    println!(
        "{:.3} % of a core without, {:.3} % with health tests, EGD, HTTP and a scrape each 15 s",
        share(0),
        share(1)
    );
    assert!(share(1) - share(0) <= 0.1, "{:.3} % of a core without, {:.3} % with", share(0), share(1));
}

#[test]
fn with_everything_on_and_the_pool_full_it_takes_at_most_six_megabytes() {
    let scratch = Scratch::make();
    let address = http::free_port();
    let file = scratch.path("entropy");
    let everything = |plan: DaemonPlan| plan.egd().file(&file, Some(100)).extra(&http::section(address));
    let (daemon, _key) = start(&scratch, "key", 0, everything);
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
