//! `ekeyd`: drives Simtec Entropy Keys and hands out what they are proven to have sent.
//!
//! ```text
//! keys (one thread each) ─proven entropy─▶ pool ─▶ kernel, EGD clients, file
//! another machine's EGD server ─bytes────▶
//! ```

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

fn main() -> ExitCode {
    // What the daemon makes is its own until it says otherwise.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    cli::main()
}
