//! Verifies a key: Skein in its 1.1 form, the MAC of frames, the mask of entropy, and the three secrets.
//!
//! Master key (on the printed card) → long-term key (in the key's flash and the host's keyring) → session key (a
//! fresh one about once a minute). Only a MAC check ([`SessionCrypt::open`]) makes a [`Verified`] packet or an
//! [`EntropyBlock`].
//!
//! Source: firmware-notes/skein.md.

mod entropy;
mod keys;
#[cfg(test)]
mod known_answers;
mod master_key;
mod session;
mod skein;
#[cfg(test)]
pub(crate) mod test_vectors;
mod threefish;

pub use entropy::EntropyBlock;
pub use keys::{LongTermKey, SessionKey};
pub use master_key::{InvalidMasterKey, MasterKey};
pub use session::{FrameError, Opened, SessionCrypt, Verified, verify_serial};
