//! `ekeyd`: drives Simtec Entropy Keys and hands out what they are proven to have sent.
//!
//! ```text
//! keys (one thread each) ─proven entropy─▶ pool ─▶ kernel, EGD clients, file
//! another machine's EGD server ─bytes────▶
//! ```
//!
//! The library is the program's inside; `main.rs` starts it. Nothing of it is meant for others but what the feature
//! `fuzzing` opens to the fuzz targets in `fuzz/`.

mod config;
mod confine;
mod daemon;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod observe;
mod outlet;
mod program;
mod socket;
mod source;
mod stock;

use std::process::ExitCode;

/// Runs the program as its command line says, and gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    // What the daemon makes is its own until it says otherwise.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    program::cli::main()
}
