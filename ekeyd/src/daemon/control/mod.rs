//! The control socket: reads commands from people and programs, and sends the daemon's replies.
//!
//! It runs in the daemon's event loop. The daemon carries out the commands; this room parses them and checks who may give them.

mod client;
mod link;
mod peer;
mod places;
mod server;

pub(crate) use server::Server;
