//! The control socket: takes commands from people and programs and sends the daemon's answers.
//!
//! It runs in the daemon's event loop. What a command means is the daemon's business; here it is read, checked against
//! who asks, and answered.

mod client;
mod server;

pub(crate) use server::Server;
