//! What the original daemon and ours cost, measured the same way on the same kind of key.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::await_until;
use crate::daemon::{Daemon, DaemonPlan};
use crate::egd::EgdClient;
use crate::original::OriginalDaemon;
use crate::program::Program;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, SoftwareKey};
use crate::usage::{Memory, memory, processor_time};

/// The two that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// `ekeyd` of this workspace.
    Ours,
    /// The vendor's `ekeyd`.
    Original,
}

/// Frames before the measured ones: the first session, so that starting up is not counted.
const WARM_UP: u64 = 4096;
/// The pool that the memory is measured with, in bytes: the default.
const POOL: u32 = 1_048_576;

/// Processor time, user and system, that one daemon spends on one frame of entropy, in nanoseconds.
///
/// Measured over `frames` frames from a software key that sends as fast as it is read, into a file.
///
/// # Panics
/// When the daemon ends or needs more than two minutes.
#[must_use]
pub fn nanoseconds_per_frame(which: Which, frames: u64) -> f64 {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("speed");
    let key = plan.plug_in(&scratch);
    let mut running = Running::start(which, &scratch, &plan, &key);
    let deadline = Duration::from_secs(120);
    let (time_before, blocks_before) = running.sample_at(WARM_UP, deadline);
    let (time_after, blocks_after) = running.sample_at(WARM_UP + frames, deadline);
    let blocks = u32::try_from(blocks_after - blocks_before).expect("a measurement is short");
    (time_after - time_before).as_secs_f64() * 1e9 / f64::from(blocks)
}

/// The middle one of three measurements of [`nanoseconds_per_frame`] of each, the original's and ours, taken in turn, so
/// that whatever else the machine does falls on both.
#[must_use]
pub fn median_nanoseconds_per_frame(frames: u64) -> (f64, f64) {
    let pairs = [(); 3].map(|()| {
        let original = nanoseconds_per_frame(Which::Original, frames);
        (original, nanoseconds_per_frame(Which::Ours, frames))
    });
    let middle = |mut values: [f64; 3]| {
        values.sort_by(f64::total_cmp);
        values[1]
    };
    (middle(pairs.map(|pair| pair.0)), middle(pairs.map(|pair| pair.1)))
}

/// From starting the daemon to the first entropy in its file, with a key at the real rate of 126 frames a second.
///
/// # Panics
/// When nothing comes within 30 s.
#[must_use]
pub fn time_to_first_entropy(which: Which) -> Duration {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("start").rate(126);
    let key = plan.plug_in(&scratch);
    let started = Instant::now();
    let mut running = Running::start(which, &scratch, &plan, &key);
    while crate::blocks::blocks_in(&running.output) == 0 {
        assert!(
            started.elapsed() < Duration::from_secs(30) && running.program().ended().is_none(),
            "{which:?} brought no entropy within {:.1} s",
            started.elapsed().as_secs_f64()
        );
        sleep(Duration::from_micros(200));
    }
    started.elapsed()
}

/// The middle one of five measurements of [`time_to_first_entropy`] of each, the original's and ours, taken in turn.
#[must_use]
pub fn median_times_to_first_entropy() -> (Duration, Duration) {
    let pairs = [(); 5].map(|()| {
        let original = time_to_first_entropy(Which::Original);
        (original, time_to_first_entropy(Which::Ours))
    });
    let middle = |mut times: [Duration; 5]| {
        times.sort();
        times[2]
    };
    (middle(pairs.map(|pair| pair.0)), middle(pairs.map(|pair| pair.1)))
}

/// The memory of our daemon with what is planned and one key, its EGD server on, the pool full and a client that has read from it.
///
/// # Panics
/// When the pool is not full within a minute.
#[must_use]
pub fn memory_serving_egd(plan_of_daemon: &DaemonPlan) -> Memory {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("memory");
    let key = plan.plug_in(&scratch);
    let daemon = plan_of_daemon.clone().key(&plan, &key).egd().start(&scratch);
    let mut client = await_until("the EGD socket", Duration::from_secs(10), || EgdClient::connect(&daemon.egd).ok());
    await_until("a full pool", Duration::from_secs(60), || {
        let bits = client.available_bits().expect("the EGD server answers");
        (bits >= POOL / 100 * 99 * 8).then_some(())
    });
    client.take(255).expect("the EGD server gives");
    memory(daemon.program.id())
}

struct Running {
    daemon: Either,
    output: PathBuf,
}

enum Either {
    Ours(Daemon),
    Original(OriginalDaemon),
}

impl Running {
    fn start(which: Which, scratch: &Scratch, plan: &KeyPlan, key: &SoftwareKey) -> Self {
        match which {
            Which::Ours => {
                let output = scratch.path("ours.entropy");
                let daemon = DaemonPlan::default().key(plan, key).file(&output, None).spawn(scratch);
                Self { daemon: Either::Ours(daemon), output }
            }
            Which::Original => {
                let keyring = scratch.write("original.keyring", &plan.keyring_line(), 0o600);
                let daemon = OriginalDaemon::start("original", scratch, key, &keyring);
                Self { output: daemon.output.clone(), daemon: Either::Original(daemon) }
            }
        }
    }

    fn program(&mut self) -> &mut Program {
        match &mut self.daemon {
            Either::Ours(daemon) => &mut daemon.program,
            Either::Original(daemon) => &mut daemon.program,
        }
    }

    /// Once the output has `blocks` blocks: the processor time so far, and the blocks at that moment.
    fn sample_at(&mut self, blocks: u64, deadline: Duration) -> (Duration, u64) {
        let output = self.output.clone();
        let there = |path: &Path| crate::blocks::blocks_in(path);
        self.program()
            .await_while_running(&format!("{blocks} blocks"), deadline, || (there(&output) >= blocks).then_some(()));
        let process = self.program().id();
        (processor_time(process), there(&output))
    }
}
