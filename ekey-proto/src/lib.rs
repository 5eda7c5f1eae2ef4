//! The protocol of the Simtec Entropy Key: what a key sends, how the host verifies it, and how a session runs.
//!
//! Data flows one way. Only the step before can make the next one:
//!
//! ```text
//! bytes ─▶ Framer ─▶ Frame ─▶ Verified<Packet> ─▶ EntropyBlock
//!          wire      wire     crypt (MAC)         crypt (unmask)
//! ```
//!
//! [`Session`] is the host's side of the conversation: a state machine without clock, randomness or I/O. The caller
//! passes in bytes, time and nonces, and takes out commands, events and the next deadline.
//!
//! Imports go one way: `session` uses `crypt`, `crypt` uses `wire`.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod crypt;
pub mod session;
pub mod wire;

pub use crypt::{EntropyBlock, LongTermKey, MasterKey, SessionCrypt, Verified};
pub use session::{Instant, Session};
pub use wire::{Command, Frame, Framer, Nonce, Packet, Serial};
