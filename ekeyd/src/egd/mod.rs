//! The EGD server: hands entropy to programs and virtual machines, over unix sockets, TCP and TLS.
//!
//! It runs in the daemon's event loop and never waits. A client that asks for more than there is waits in a queue, and
//! those that wait are served in small turns and get the same in sum, so that a greedy one cannot starve the others.

mod bucket;
mod client;
mod guard;
mod handshakes;
mod listening;
mod offer;
mod open_files;
mod peers;
mod queue;
mod request;
mod server;

pub(crate) use open_files::allow_clients;
pub(crate) use server::Server;
