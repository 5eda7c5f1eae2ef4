//! Processor time of a frame, ours and the original's, from a key on a unix socket and on a terminal.

use std::path::PathBuf;
use std::time::Duration;

use super::{Bound, Figure, Missing, ORIGINAL, Subject, Unit, Which, medians};
use crate::blocks::blocks_in;
use crate::daemon::{Daemon, DaemonPlan};
use crate::original::OriginalDaemon;
use crate::program::Program;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, Plug, SoftwareKey};
use crate::usage::processor_time;

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "frame-unix",
        title: "processor time a frame, key on a unix socket",
        measure: || frame(Plug::Unix),
    },
    Subject { name: "frame-pty", title: "processor time a frame, key on a terminal", measure: || frame(Plug::Pty) },
];

/// Frames before the measured ones: the first session, so that startup does not count.
const WARM_UP: u64 = 4096;
/// Frames of one run.
const FRAMES: u64 = 200_000;
/// The bound, as a part of the original's processor time.
const MOST_OF_ORIGINAL: f64 = 0.40;

fn frame(plug: Plug) -> Result<Vec<Figure>, Missing> {
    let (original, ours) = medians::<5>(|which| seconds_per_frame(which, plug));
    let figure = Figure::new("processor time a frame, median of 5", Unit::Seconds, ours);
    Ok(vec![figure.against(ORIGINAL, original).bound(Bound::MostTimes(MOST_OF_ORIGINAL))])
}

/// Measures with a software key that sends as fast as the host reads, into a file: user and system, in seconds.
fn seconds_per_frame(which: Which, plug: Plug) -> f64 {
    let scratch = Scratch::make();
    let plan = KeyPlan::named("speed").plug(plug);
    let key = plan.plug_in(&scratch);
    let mut running = Running::start(which, &scratch, &plan, &key);
    let (time_before, blocks_before) = running.sample_at(WARM_UP);
    let (time_after, blocks_after) = running.sample_at(WARM_UP + FRAMES);
    let blocks = u32::try_from(blocks_after - blocks_before).expect("a measurement is short");
    (time_after - time_before).as_secs_f64() / f64::from(blocks)
}

/// Either daemon on one key, writing to a file.
pub(super) struct Running {
    daemon: Either,
    /// The file.
    pub(super) output: PathBuf,
}

enum Either {
    Ours(Daemon),
    Original(OriginalDaemon),
}

impl Running {
    pub(super) fn start(which: Which, scratch: &Scratch, plan: &KeyPlan, key: &SoftwareKey) -> Self {
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

    pub(super) fn program(&mut self) -> &mut Program {
        match &mut self.daemon {
            Either::Ours(daemon) => &mut daemon.program,
            Either::Original(daemon) => &mut daemon.program,
        }
    }

    /// Waits until the output has `blocks` blocks.
    pub(super) fn await_blocks(&mut self, blocks: u64) {
        let output = self.output.clone();
        let what = format!("{blocks} blocks");
        self.program().await_while_running(&what, || (blocks_in(&output) >= blocks).then_some(()));
    }

    /// Returns the processor time once the output has `blocks` blocks, and the blocks at that moment.
    fn sample_at(&mut self, blocks: u64) -> (Duration, u64) {
        self.await_blocks(blocks);
        let process = self.program().id();
        (processor_time(process), blocks_in(&self.output))
    }
}
