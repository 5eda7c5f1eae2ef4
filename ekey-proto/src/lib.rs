//! The protocol of the Simtec Entropy Key: what a key says, how it is believed, and how a session with it runs.
//!
//! Data goes one way, and each step can only be made from the one before:
//!
//! ```text
//! bytes ─▶ Framer ─▶ Frame ─▶ Verified<Packet> ─▶ EntropyBlock
//!          wire      wire     crypt (MAC)         crypt (unmask)
//! ```
//!
//! [`Session`] is the host's side of the conversation as a state machine without a clock, without randomness and
//! without I/O: bytes, time and nonces are handed in, commands, events and the next deadline are taken out.
//!
//! The modules know each other in one direction: `session` knows `crypt`, `crypt` knows `wire`.
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
