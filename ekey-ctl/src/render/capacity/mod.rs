//! Whether there is enough: a sentence, a few figures, sparklines; JSON; and a picture.

mod machine;
mod people;
mod picture;

use crate::capacity::{Crowd, Limits, Outcome, World, demand};

pub(crate) use machine::{json, measured_json};
pub(crate) use people::{lines, measured};
pub(crate) use picture::picture;

/// What was asked, and all that came of it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) world: World,
    pub(crate) crowds: Vec<Crowd>,
    pub(crate) limits: Limits,
    pub(crate) outcome: Outcome,
    /// How many such clients these keys bear.
    pub(crate) borne: u32,
    /// How many keys would do; none if a thousand would not.
    pub(crate) keys_needed: Option<u32>,
    /// Whether keys and pool are the daemon's.
    pub(crate) from_daemon: bool,
}

impl Answer {
    /// Whether the supply lasts, and 99 of 100 requests are answered in time.
    pub(crate) fn is_enough(&self) -> bool {
        demand(&self.crowds) <= self.world.left() && self.outcome.waits.quantile(0.99) <= self.limits.within
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> u64 {
        self.crowds.iter().map(|crowd| u64::from(crowd.clients)).sum()
    }

    /// Bytes a second that they ask for in the long run.
    pub(crate) fn demand(&self) -> f64 {
        demand(&self.crowds)
    }
}
