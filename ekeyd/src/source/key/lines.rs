//! Which lines about keys the log gets: one of each kind a minute, whatever a key does and under however many names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ekey_control::KeyState;
use ekey_link::revive::Rung;
use ekey_proto::Serial;

use crate::log_limit::{LogLimit, More};
use crate::worker::lock;

/// Sets of limits for keys that have proven nothing. Such a key can come back under a new serial number, so keys share them.
const NEWCOMERS: usize = 4;

/// A kind of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// The key has entered the state of this name, or this step of reviving it is being tried.
    State(&'static str, Option<Rung>),
    /// This step of reviving it cannot be tried.
    Refused(Rung),
    /// The key says that its generators are bad.
    GeneratorsBad,
    /// The key sent another packet that changes nothing.
    Message,
    /// A health test has retired the key.
    Retired,
    /// The key is used again.
    Readmitted,
    /// What the key says of itself is a reason to worry.
    Warning,
}

/// The limits of one key's lines.
pub(crate) struct Lines {
    all: Arc<All>,
    newcomer: usize,
    /// Its own, once it has proven who it is.
    own: Option<Arc<Limits>>,
}

/// The limits of the lines about all keys.
#[derive(Default)]
pub(super) struct All {
    newcomers: [Limits; NEWCOMERS],
    /// For each key that has proven who it is; the keyring limits how many can.
    proven: Mutex<HashMap<Serial, Arc<Limits>>>,
}

#[derive(Default)]
struct Limits(Mutex<HashMap<Line, LogLimit>>);

impl Line {
    /// Returns the kind of a line about a state.
    pub(super) fn of(state: KeyState) -> Self {
        let rung = if let KeyState::Recovering { rung } = state { Some(rung) } else { None };
        Self::State(state.name(), rung)
    }
}

impl Lines {
    /// Makes the limits of the key with this number, which has proven nothing yet.
    pub(super) fn new(all: &Arc<All>, number: u32) -> Self {
        Self { all: Arc::clone(all), newcomer: number as usize % NEWCOMERS, own: None }
    }

    /// Gives the key limits of its own: it has proven that it is the one with this serial number.
    pub(super) fn note_proven(&mut self, serial: Serial) {
        self.own = Some(Arc::clone(lock(&self.all.proven).entry(serial).or_default()));
    }

    /// Admits a line. Returns what to write at its end, `None` if it is to be left out.
    pub(super) fn admit(&self, line: Line) -> Option<More> {
        let limits = self.own.as_deref().unwrap_or(&self.all.newcomers[self.newcomer]);
        lock(&limits.0).entry(line).or_default().admit(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_end_share_a_few_lines() {
        let all = Arc::default();
        let admitted = |line| (0..1000).filter(|number| Lines::new(&all, *number).admit(line).is_some()).count();
        assert_eq!(admitted(Line::Message), NEWCOMERS);
        assert_eq!(admitted(Line::of(KeyState::Gone)), NEWCOMERS, "each kind has its own limit");
    }

    #[test]
    fn a_proven_key_keeps_its_limits_when_added_again() {
        let (all, serial) = (Arc::default(), Serial::from_bytes([7; 12]));
        let admitted = (0..1000).filter(|number| {
            let mut lines = Lines::new(&all, *number);
            lines.note_proven(serial);
            lines.admit(Line::Retired).is_some()
        });
        assert_eq!(admitted.count(), 1);
        assert!(Lines::new(&all, 0).admit(Line::Retired).is_some(), "newcomers have others");
    }
}
