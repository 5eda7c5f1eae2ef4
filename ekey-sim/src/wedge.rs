//! How a software key hangs: it takes bytes and says nothing, until a certain step revives it.
//!
//! Real keys hang, and which step revives one is not known (firmware-notes/recovery.md), so tests can choose each.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::names;

/// A step that may revive a hung key, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revival {
    /// The byte `^C`.
    CtrlC,
    /// The host closes the key and opens it again.
    Reopen,
    /// A USB port reset.
    UsbReset,
    /// The host takes the key off the bus and enumerates it again, with its power on.
    ReEnumeration,
    /// The key is unplugged and plugged in again: it starts from nothing.
    Replug,
}

/// A hang: when it begins, and which step ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wedge {
    /// The mildest step that revives it.
    pub until: Revival,
    /// Entropy frames that the key sends first; `None`: it hangs from the start.
    pub after: Option<NonZeroU64>,
}

/// Text that is not a wedge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a wedge; use one of until-ctrl-c, until-reopen, until-usb-reset, until-re-enumeration, until-replug, \
     with :N after it to begin after N entropy frames"
)]
pub struct InvalidWedge(String);

impl Revival {
    const NAMES: [(&'static str, Self); 5] = [
        ("until-ctrl-c", Self::CtrlC),
        ("until-reopen", Self::Reopen),
        ("until-usb-reset", Self::UsbReset),
        ("until-re-enumeration", Self::ReEnumeration),
        ("until-replug", Self::Replug),
    ];

    /// Returns whether this step revives a key that hangs until `needed`.
    ///
    /// A step on the bus includes everything milder. `^C` and reopening do not include each other.
    #[must_use]
    pub fn revives(self, needed: Self) -> bool {
        self == needed || (self >= Self::UsbReset && self > needed)
    }
}

impl FromStr for Wedge {
    type Err = InvalidWedge;

    fn from_str(text: &str) -> Result<Self, InvalidWedge> {
        let invalid = || InvalidWedge(text.to_owned());
        let (name, after) = match text.split_once(':') {
            Some((name, count)) => (name, Some(count.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let until = names::value_of(&Revival::NAMES, name).ok_or_else(invalid)?;
        Ok(Self { until, after })
    }
}

impl fmt::Display for Wedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(names::name_of(&Revival::NAMES, &self.until))?;
        self.after.map_or(Ok(()), |count| write!(f, ":{count}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wedge_reads_as_it_prints() {
        for (name, until) in Revival::NAMES {
            assert_eq!(name.parse(), Ok(Wedge { until, after: None }));
            let later = format!("{name}:250");
            let wedge: Wedge = later.parse().unwrap();
            assert_eq!((wedge.until, wedge.after.map(NonZeroU64::get)), (until, Some(250)));
            assert_eq!(wedge.to_string(), later);
        }
    }

    #[test]
    fn the_error_lists_the_wedges() {
        for wrong in ["", "until", "until-reopen:", "until-reopen:0", "until-reopen:-1", "until-reopen:1:2"] {
            let error = wrong.parse::<Wedge>().expect_err(wrong).to_string();
            assert!(error.contains("until-usb-reset"), "{error}");
        }
    }

    #[test]
    fn only_steps_on_the_bus_include_milder_ones() {
        use Revival::{CtrlC, ReEnumeration, Reopen, Replug, UsbReset};
        let all = [CtrlC, Reopen, UsbReset, ReEnumeration, Replug];
        let revived_by = |needed: Revival| all.into_iter().filter(|step| step.revives(needed)).collect::<Vec<_>>();
        assert_eq!(revived_by(CtrlC), [CtrlC, UsbReset, ReEnumeration, Replug]);
        assert_eq!(revived_by(Reopen), [Reopen, UsbReset, ReEnumeration, Replug]);
        assert_eq!(revived_by(ReEnumeration), [ReEnumeration, Replug]);
        assert_eq!(revived_by(Replug), [Replug]);
    }
}
