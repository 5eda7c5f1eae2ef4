//! Does one key give enough for everybody? A simulation of the daemon's pool, of its fair turns, and of clients with habits.
//!
//! Pure: no clock, no socket, no file; the same question has the same answer. The rules are the daemon's: what keys bring goes to
//! the kernel first and then to those who wait, 64 bytes a turn, the one who has had least so far next (start-time fair queueing).

mod chance;
mod habit;
mod measured;
mod outcome;
mod search;
mod simulation;
mod waits;
mod world;

#[cfg(test)]
mod tests;

pub(crate) use habit::{Crowd, Habit};
pub(crate) use measured::{Measured, Verdict};
pub(crate) use outcome::{Outcome, Step};
pub(crate) use search::{Limits, borne, demand, keys_needed};
pub(crate) use simulation::simulate;
pub(crate) use world::World;
