//! The host's side of the conversation with a key: state machines that do no I/O and never read a clock.
//!
//! [`Session`] runs entropy sessions, [`LongTermRekey`] sets a new long-term key. Both take in bytes, time and nonces,
//! and return commands, events and the next deadline.

mod channel;
mod counters;
mod host;
mod instant;
mod long_term;
mod output;
mod packets;
mod retry;
mod state;
mod timings;

pub use counters::Counters;
pub use host::Session;
pub use instant::Instant;
pub use long_term::{LongTermRekey, RekeyError, RekeyOutput};
pub use output::{Event, Output};
pub use state::State;
pub use timings::Timings;
