//! `ekeyd`: drives Simtec Entropy Keys and hands out what they are proven to have sent.
//!
//! ```text
//! keys (one thread each) ─proven entropy─▶ pool ─▶ kernel, EGD clients, file
//! ```

mod cli;
mod config;
mod control;
mod daemon;
#[cfg(feature = "demo")]
mod demo;
mod egd;
mod key;
mod keyring;
mod logs;
mod nonce;
mod observe;
mod output;
mod pool;
mod socket;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
