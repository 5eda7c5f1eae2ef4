//! How the program is started: its command line, the demonstration, the original's daemon and client by
//! their flags and names, and the logs.

mod background;
pub(crate) mod cli;
#[cfg(feature = "demo")]
mod demo;
mod egd_linux;
mod logs;
mod pid_file;
mod service;
mod terminal;
