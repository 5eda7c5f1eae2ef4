//! Our daemon on one software key.

use std::path::PathBuf;

use crate::await_until;
use crate::daemon::{Daemon, DaemonPlan};
use crate::egd::EgdClient;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, SoftwareKey};

/// Bytes that a virtual machine asks for at a time, as QEMU's `rng-egd` does.
pub const USUAL: u8 = 64;

/// Starts our daemon on a software key, with what `more` adds to the daemon's plan.
#[must_use]
pub fn started(plan: &KeyPlan, more: impl FnOnce(DaemonPlan) -> DaemonPlan) -> (Scratch, SoftwareKey, Daemon) {
    let scratch = Scratch::make();
    let key = plan.plug_in(&scratch);
    let daemon = more(DaemonPlan::default().key(plan, &key)).start(&scratch);
    (scratch, key, daemon)
}

/// Does the same as [`started`], and waits until the key runs.
#[must_use]
pub fn running(plan: &KeyPlan, more: impl FnOnce(DaemonPlan) -> DaemonPlan) -> (Scratch, SoftwareKey, Daemon) {
    let (scratch, key, mut daemon) = started(plan, more);
    daemon.await_state(&scratch, "running");
    (scratch, key, daemon)
}

/// Does the same as [`started`] with a file output, which stops after `blocks` blocks, if given. Returns its path too.
#[must_use]
pub fn writing(
    plan: &KeyPlan,
    blocks: Option<u64>,
    more: impl FnOnce(DaemonPlan) -> DaemonPlan,
) -> ((Scratch, SoftwareKey, Daemon), PathBuf) {
    let scratch = Scratch::make();
    let key = plan.plug_in(&scratch);
    let output = scratch.path("entropy");
    let daemon = more(DaemonPlan::default().key(plan, &key).file(&output, blocks)).start(&scratch);
    ((scratch, key, daemon), output)
}

/// Starts our daemon with an EGD server on a software key, and waits for the first entropy.
///
/// # Panics
/// When none comes.
#[must_use]
pub fn ours(plan: &KeyPlan) -> (Scratch, SoftwareKey, Daemon) {
    ours_with(plan, |daemon| daemon)
}

/// Does the same as [`ours`], with what `more` adds to the daemon's plan.
///
/// # Panics
/// When no entropy comes.
#[must_use]
pub fn ours_with(plan: &KeyPlan, more: impl FnOnce(DaemonPlan) -> DaemonPlan) -> (Scratch, SoftwareKey, Daemon) {
    let (scratch, key, daemon) = started(plan, |daemon| more(daemon.egd()));
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    await_until("the first entropy", || (client.available_bits().expect("the EGD server answers") > 0).then_some(()));
    (scratch, key, daemon)
}
