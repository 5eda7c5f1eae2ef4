//! The protocol of the Simtec Entropy Key: what a key says, how that is verified, and how a session with it runs.
//!
//! Data goes one way, and each step needs the one before:
//!
//! ```text
//! bytes ─▶ Framer ─▶ Frame ─▶ Verified<Packet> ─▶ EntropyBlock
//!          wire      wire     crypt (MAC)         crypt (unmask)
//! ```
//!
//! [`Session`] is the host's side of the conversation, a state machine without a clock, without randomness and without
//! I/O. Pass in bytes, time and nonces; take out commands, events and the next deadline. A whole program that reads a key
//! is the example `read_a_key` of ekey-link.
//!
//! ```
//! use ekey_proto::{Framer, crypt};
//!
//! // What a real key answers to a reset, as its vendor published it, after some noise.
//! let mut input: &[u8] = b"noise* S!AANwBvBlg3OTBJORFD                                Al/Smw1b\r\n";
//! let mut framer = Framer::new();
//! let frame = framer.next_frame(&mut input).expect("a whole frame");
//! let (serial, _) = crypt::verify_serial(&frame).expect("its MAC verifies");
//! assert_eq!(serial.get().to_string(), "NwBvBlg3OTBJORFD");
//! ```
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
