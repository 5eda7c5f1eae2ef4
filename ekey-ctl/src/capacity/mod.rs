//! Do the keys supply enough for all clients? Simulates the daemon's pool, its fair turns, and clients with habits.
//!
//! Pure: no clock, no socket, no file; the same question has the same answer. The rules are the daemon's: entropy goes to the kernel
//! first, then to waiting clients by whole requests, next the one that has had least (start-time fair queueing).

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
