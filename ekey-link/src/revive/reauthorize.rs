//! Forbids the use of a USB device and allows it again: the kernel unconfigures it, reads its descriptors and configures it again.

use super::{ReviveError, attribute};
use crate::find::FoundKey;

/// Writes 0 and then 1 to the key's `authorized`. Takes some milliseconds, some seconds if the key does not answer.
///
/// Close the link first. The key keeps its place on the bus, its tty goes and comes back.
///
/// # Errors
/// [`ReviveError::Gone`], [`ReviveError::Denied`] (by default only root may), [`ReviveError::Failed`], or
/// [`ReviveError::LeftOff`] if the key could not be allowed again.
pub fn reauthorize(key: &FoundKey) -> Result<(), ReviveError> {
    let path = key.sysfs.join("authorized");
    let outcome = attribute::write(&path, "0").map_err(|source| ReviveError::of(&path, source));
    if matches!(outcome, Err(ReviveError::Gone { .. } | ReviveError::Denied { .. })) {
        return outcome;
    }
    // Even a write that failed may have done half of it.
    attribute::switch_on(&path, "1")?;
    outcome
}
