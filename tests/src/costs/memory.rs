//! Memory, anonymous and in total, with a full pool.

use std::fs;

use super::{Bound, Figure, Missing, ORIGINAL, Subject, Unit};
use crate::await_until;
use crate::binaries;
use crate::daemon::DaemonPlan;
use crate::egd::EgdClient;
use crate::http::{self, Observed};
use crate::original::OriginalDaemon;
use crate::scratch::Scratch;
use crate::software_key::KeyPlan;
use crate::usage::{Memory, memory};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject { name: "memory", title: "memory with a full pool, serving EGD", measure: serving },
    Subject {
        name: "memory-everything",
        title: "memory with every output on, after many requests by HTTP",
        measure: everything,
    },
    Subject { name: "static", title: "size and memory of the static daemon", measure: static_daemon },
];

/// The measured pool, in bytes: the default.
const POOL: u32 = 1_048_576;
/// KB of anonymous memory. The total adds the pages of the program that have run, which the kernel takes back when it
/// needs them: it is stated and has no bound.
const MOST_OWN: f64 = 1536.0;
/// Size of the static program's file, in bytes.
const MOST_BYTES: f64 = 3_000_000.0;

fn serving() -> Result<Vec<Figure>, Missing> {
    let (original, ours) = (original_serving_egd(), serving_egd(&DaemonPlan::default()));
    Ok(vec![
        Figure::new("anonymous (RssAnon), pool full", Unit::Kilobytes, ours.own as f64)
            .against(ORIGINAL, original.own as f64)
            .bound(Bound::Most(MOST_OWN)),
        Figure::new("resident (VmRSS), pool full", Unit::Kilobytes, ours.resident as f64)
            .against(ORIGINAL, original.resident as f64),
        Figure::new("most resident (VmHWM)", Unit::Kilobytes, ours.peak as f64).against(ORIGINAL, original.peak as f64),
    ])
}

/// Measures the memory of a daemon with this plan and one key, its EGD server on, the pool full and a client that has
/// read from it.
fn serving_egd(plan_of_daemon: &DaemonPlan) -> Memory {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("memory");
    let key = plan.plug_in(&scratch);
    let daemon = plan_of_daemon.clone().key(&plan, &key).egd().start(&scratch);
    let mut client = await_until("the EGD socket", || EgdClient::connect(&daemon.egd).ok());
    await_until("a full pool", || {
        let bits = client.available_bits().expect("the EGD server answers");
        (bits >= POOL / 100 * 99 * 8).then_some(())
    });
    client.take(255).expect("the EGD server answers");
    memory(daemon.program.id())
}

/// Measures the same of the original, whose pool is small.
fn original_serving_egd() -> Memory {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("memory");
    let key = plan.plug_in(&scratch);
    let keyring = scratch.write("original.keyring", &plan.keyring_line(), 0o600);
    let daemon = OriginalDaemon::start_serving("original", &scratch, &key, &keyring);
    let mut client = EgdClient::connect(&daemon.output).expect("the original's EGD socket");
    client.take(255).expect("the original answers");
    memory(daemon.program.id())
}

fn everything() -> Result<Vec<Figure>, Missing> {
    let scratch = Scratch::make();
    let file = scratch.path("entropy");
    let everything = |plan: DaemonPlan| plan.file(&file, Some(100));
    let Observed { daemon, address, key: _key } = Observed::start(&scratch, &KeyPlan::named("key"), everything);
    await_until("a full pool", || (daemon.status(&scratch).count("/pool/bytes") > 1_000_000).then_some(()));
    for _ in 0..50 {
        for path in ["/", "/metrics", "/status.json", "/history.json", "/?range=24h"] {
            assert_eq!(http::get(address, path, "").code, 200, "{path}");
        }
    }
    let memory = memory(daemon.program.id());
    Ok(vec![
        Figure::new("anonymous (RssAnon)", Unit::Kilobytes, memory.own as f64),
        Figure::new("most resident (VmHWM)", Unit::Kilobytes, memory.peak as f64),
    ])
}

fn static_daemon() -> Result<Vec<Figure>, Missing> {
    let program = binaries::target_folder().join("static/x86_64/ekeyd");
    let Ok(file) = fs::metadata(&program) else {
        return Err(Missing(format!("{} is not built: packaging/build", program.display())));
    };
    let memory = serving_egd(&DaemonPlan::default().program(&program));
    Ok(vec![
        Figure::new("bytes of the static ekeyd", Unit::Count, file.len() as f64).bound(Bound::Most(MOST_BYTES)),
        Figure::new("anonymous (RssAnon), pool full", Unit::Kilobytes, memory.own as f64).bound(Bound::Most(MOST_OWN)),
        Figure::new("resident (VmRSS), pool full", Unit::Kilobytes, memory.resident as f64),
    ])
}
