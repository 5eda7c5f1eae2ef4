//! How the program is started: its command line, the demonstration, the original's client under its own name, and the logs.

pub(crate) mod cli;
#[cfg(feature = "demo")]
mod demo;
mod egd_linux;
mod logs;
mod terminal;
