//! `ekeyd` drives Simtec Entropy Keys, verifies their entropy, and passes it to the kernel, to programs and to other machines.
//!
//! ```text
//! keys (one thread each) ─proven entropy─▶ pool ─▶ kernel, EGD clients, file
//! another machine's EGD server ─bytes────▶
//! ```
//!
//! The library exists for the program alone: it exports [`main`], and with the feature `fuzzing` what the targets in `fuzz/` call.

mod batch;
mod cli;
mod combine;
mod config;
mod confine;
mod control;
mod daemon;
#[cfg(feature = "demo")]
mod demo;
mod egd;
mod egd_client;
mod egd_linux;
mod expand;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod key;
mod keyring;
mod logs;
mod nonce;
mod observe;
mod output;
mod pool;
mod socket;
mod terminal;
mod tls;

use std::process::ExitCode;

/// Runs the program with the process's command line. Returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    // New files are closed to other users until the daemon sets their mode.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    cli::main()
}
