//! Capabilities, capabilities(7). On Linux each thread has its own set, and a new thread inherits its parent's.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};

/// Required to credit the kernel.
pub(super) const CREDIT: CapabilitySet = CapabilitySet::SYS_ADMIN;
/// What the daemon keeps if it stays root: access to other users' files, within landlock's rules. Without it, root cannot open the
/// keyring of the user `ekeyd`, nor a terminal of another user.
pub(super) const OF_ROOT: CapabilitySet = CapabilitySet::DAC_OVERRIDE;
/// No capability.
pub(super) const NONE: CapabilitySet = CapabilitySet::empty();

/// Returns whether this thread may credit the kernel.
pub(super) fn may_credit() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CREDIT))
}

/// Keeps every program that this process starts from having capabilities. Takes root; other users have none to pass on.
pub(super) fn bound() {
    let _ = clear_ambient_capability_set();
    for number in 0..u64::BITS {
        if remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)).is_err() {
            break;
        }
    }
}

/// Drops all of this thread's capabilities except `kept`, for good.
pub(super) fn keep_only(kept: CapabilitySet) {
    let _ = clear_ambient_capability_set();
    let Ok(sets) = capabilities(None) else { return };
    let kept = sets.permitted & kept;
    let kept = CapabilitySets { effective: kept, permitted: kept, inheritable: NONE };
    if let Err(errno) = set_capabilities(None, kept)
        && !sets.permitted.is_empty()
    {
        tracing::warn!("cannot drop capabilities: {errno}; the unit's SystemCallFilter= must allow capset");
    }
}
