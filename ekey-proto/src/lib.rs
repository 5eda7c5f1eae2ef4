//! The protocol of the Simtec Entropy Key: what a key sends, how the host verifies it, and how a session runs.
//!
//! Data flows one way. Only the step before can make the next one:
//!
//! ```text
//! bytes ─▶ Framer ─▶ Frame ─▶ EntropyBlock, or Verified<Packet>
//!          wire      wire     crypt (MAC and mask)
//! ```
//!
//! [`Session`] is the host's side of the conversation, a state machine without clock, randomness or I/O. The caller
//! passes in bytes, time and nonces, and takes out commands, events and the next deadline. The example `read_a_key` of
//! ekey-link is a whole program.
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
