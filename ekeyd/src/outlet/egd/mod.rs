//! The EGD server: hands entropy to programs and virtual machines, over unix sockets, TCP and TLS.
//!
//! It runs in the daemon's event loop and never waits. The protocol and the queue are in `ekey-egd`; here are the sockets, the
//! access limits and the account.

mod client;
mod fresh;
mod guard;
mod handshakes;
mod listening;
mod offer;
mod open_files;
mod outlet;
mod server;
mod store;
mod takers;

use open_files::allow_clients;
pub(crate) use outlet::{Allowance, EgdClients, account};
pub(crate) use server::Server;
pub(crate) use store::Store;
