//! Capabilities, capabilities(7): which thread keeps which. On Linux each thread has its own, and one that it starts begins with
//! the same.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};

/// What crediting the kernel takes.
pub(super) const CREDIT: CapabilitySet = CapabilitySet::SYS_ADMIN;
/// What root keeps where it has no other user to become: the files of others, within what landlock leaves. Without it the
/// keyring of the user `ekeyd` and a terminal that somebody else has opened would be closed to it.
pub(super) const OF_ROOT: CapabilitySet = CapabilitySet::DAC_OVERRIDE;
/// Nothing.
pub(super) const NONE: CapabilitySet = CapabilitySet::empty();

/// Whether this thread may credit the kernel.
pub(super) fn may_credit() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CREDIT))
}

/// Sees to it that no program that is started from here ever has any. It takes root; without, there is little to bound.
pub(super) fn bound() {
    let _ = clear_ambient_capability_set();
    for number in 0..u64::BITS {
        if remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)).is_err() {
            break;
        }
    }
}

/// Gives up all that this thread has but `kept`, for good.
pub(super) fn keep_only(kept: CapabilitySet) {
    let _ = clear_ambient_capability_set();
    let Ok(sets) = capabilities(None) else { return };
    let kept = sets.permitted & kept;
    let kept = CapabilitySets { effective: kept, permitted: kept, inheritable: NONE };
    if let Err(errno) = set_capabilities(None, kept)
        && !sets.permitted.is_empty()
    {
        tracing::warn!("cannot give up capabilities: {errno}; the unit's SystemCallFilter= must let capset through");
    }
}
