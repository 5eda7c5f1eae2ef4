//! `ekeyd` drives Simtec Entropy Keys, verifies their entropy, and passes it to the kernel, to programs and to other machines.
//!
//! ```text
//! keys (one thread each) ─proven entropy─▶ pool ─▶ kernel, EGD clients, file
//! another machine's EGD server ─bytes────▶
//! ```
//!
//! The library exists only for the program: it exports [`main`], and with the feature `fuzzing` what the targets in `fuzz/` call.

mod config;
mod confine;
mod daemon;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hypervisor;
mod log_limit;
mod observe;
mod outlet;
mod program;
mod socket;
mod source;
mod stock;
mod urandom;
mod worker;

use std::process::ExitCode;

/// Runs the program with the process's command line. Returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    // New files are closed to other users until the daemon sets their mode.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    program::cli::main()
}
