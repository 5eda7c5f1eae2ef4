//! Shows whether the supply is enough: lines for people, JSON, and a picture.

mod machine;
mod people;
mod picture;

use crate::capacity::{Crowd, Limits, Outcome, World, demand};

pub(crate) use machine::{json, measured_json};
pub(crate) use people::{lines, measured};
pub(crate) use picture::picture;

/// The question, and the result of its simulation.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) world: World,
    pub(crate) crowds: Vec<Crowd>,
    pub(crate) limits: Limits,
    pub(crate) outcome: Outcome,
    /// How many such clients these keys can serve.
    pub(crate) borne: u32,
    /// How many keys are enough, `None` if a thousand are not.
    pub(crate) keys_needed: Option<u32>,
    /// `true` if keys and pool are those of a running daemon.
    pub(crate) from_daemon: bool,
    /// `true` if the daemon's keys count and none runs.
    pub(crate) no_key: bool,
    /// The host name of the machine whose daemon that is, else of this one.
    pub(crate) host: String,
}

impl Answer {
    /// Reports whether the supply covers the demand and 99 of 100 requests are answered in time.
    pub(crate) fn is_enough(&self) -> bool {
        !self.no_key
            && demand(&self.crowds) <= self.world.left()
            && self.outcome.waits.quantile(0.99) <= self.limits.within
    }

    /// Returns the number of clients.
    pub(crate) fn clients(&self) -> u64 {
        self.crowds.iter().map(|crowd| u64::from(crowd.clients)).sum()
    }

    /// Returns the bytes a second that they ask for, in the long run.
    pub(crate) fn demand(&self) -> f64 {
        demand(&self.crowds)
    }
}
