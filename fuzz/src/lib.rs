//! The fuzz targets. Each is a function of some bytes, which stand for what a hostile peer may send, write or do. Each
//! states what must hold for any bytes; none only waits for a panic.
//!
//! Frames from the key have right MACs, so that the fuzzer gets behind the MAC check without switching it off.
//! `fuzz/run` builds and runs the targets.
#![forbid(unsafe_code)]

mod bus;
mod choices;
mod config;
mod control;
mod daemon;
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
pub use daemon::{become_the_daemon, daemon};
pub use egd_client::egd_client;
pub use egd_server::egd_server;
pub use framer::framer;
pub use keyring::keyring;
pub use packet::packet;
pub use session::session;
pub use usbip::usbip;
pub use usbredir::usbredir;

/// Runs one input. Panics if something does not hold that must.
pub type Target = fn(&[u8]);

/// Every target by name, to run them without libFuzzer.
pub const TARGETS: [(&str, Target); 12] = [
    ("framer", framer),
    ("packet", packet),
    ("session", session),
    ("egd_server", egd_server),
    ("egd_client", egd_client),
    ("control", control),
    ("daemon", daemon),
    ("config_toml", config_toml),
    ("config_original", config_original),
    ("keyring", keyring),
    ("usbredir", usbredir),
    ("usbip", usbip),
];
