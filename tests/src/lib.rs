//! The harness: starts whole programs, watches them, and compares what they did with what was expected.
//!
//! Nothing here uses the crates under test. The command lines, files and sockets that it relies on are the project's
//! promises, so a change there fails a test; the harness never adapts to it silently.

pub mod await_until;
pub mod binaries;
pub mod blocks;
pub mod books;
pub mod browser;
pub mod clients;
pub mod control;
pub mod costs;
pub mod ctr_drbg;
pub mod daemon;
pub mod document;
pub mod egd;
pub mod egd_server;
pub mod fips;
pub mod floods;
pub mod golden;
pub mod guest;
pub mod http;
pub mod load;
pub mod mutations;
pub mod original;
pub mod outside;
pub mod peer;
pub mod plot;
pub mod ports;
pub mod program;
pub mod proxy;
pub mod scene;
pub mod scratch;
pub mod screen;
pub mod serving;
pub mod soak;
pub mod software_key;
pub mod status;
pub mod terminal;
pub mod tls;
pub mod tree;
pub mod usage;

pub use await_until::await_until;
pub use daemon::{Daemon, DaemonPlan};
pub use program::{Finished, Program};
pub use scratch::Scratch;
pub use software_key::{KeyPlan, SoftwareKey};
pub use status::Status;
