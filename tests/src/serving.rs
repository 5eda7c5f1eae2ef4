//! Our daemon as it serves EGD clients.

use crate::await_until;
use crate::daemon::{Daemon, DaemonPlan};
use crate::egd::EgdClient;
use crate::scratch::Scratch;
use crate::software_key::{KeyPlan, SoftwareKey};

/// What a virtual machine asks for at a time, in bytes: QEMU's `rng-egd`.
pub const USUAL: u8 = 64;

/// Our daemon serving on a software key, with the first entropy there.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn ours(plan: &KeyPlan) -> (Scratch, SoftwareKey, Daemon) {
    ours_with(plan, |daemon| daemon)
}

/// Like [`ours`], with what `more` adds to the daemon's plan.
///
/// # Panics
/// When there is no entropy.
#[must_use]
pub fn ours_with(plan: &KeyPlan, more: impl FnOnce(DaemonPlan) -> DaemonPlan) -> (Scratch, SoftwareKey, Daemon) {
    let scratch = Scratch::make();
    let key = plan.plug_in(&scratch);
    let daemon = more(DaemonPlan::default().key(plan, &key).egd()).start(&scratch);
    let mut client = EgdClient::connect(&daemon.egd).expect("the EGD server takes a client");
    await_until("the first entropy", || (client.available_bits().expect("the EGD server answers") > 0).then_some(()));
    (scratch, key, daemon)
}
