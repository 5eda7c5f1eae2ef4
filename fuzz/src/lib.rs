//! The fuzz targets: each a function of some bytes, which stand for whatever somebody hostile may send, write or do. None only
//! waits for a panic: each says what must hold whatever the bytes are.
//!
//! Frames of the key are signed as a key signs them, so that what is behind the MAC is reached without switching it off.
//! `fuzz/run` builds and runs them.
#![forbid(unsafe_code)]

mod choices;
mod config;
mod control;
mod egd_client;
mod egd_server;
mod framer;
mod keyring;
mod packet;
mod session;
mod signer;
mod usbip;
mod usbredir;

pub use config::{config_original, config_toml};
pub use control::control;
pub use egd_client::egd_client;
pub use egd_server::egd_server;
pub use framer::framer;
pub use keyring::keyring;
pub use packet::packet;
pub use session::session;
pub use usbip::usbip;
pub use usbredir::usbredir;

/// What is done with an input; it panics if something does not hold that must.
pub type Target = fn(&[u8]);

/// Every target by its name, for whoever runs them without libFuzzer.
pub const TARGETS: [(&str, Target); 11] = [
    ("framer", framer),
    ("packet", packet),
    ("session", session),
    ("egd_server", egd_server),
    ("egd_client", egd_client),
    ("control", control),
    ("config_toml", config_toml),
    ("config_original", config_original),
    ("keyring", keyring),
    ("usbredir", usbredir),
    ("usbip", usbip),
];
