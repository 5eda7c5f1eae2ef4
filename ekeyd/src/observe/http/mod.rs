//! Read-only HTTP/1.1 in the daemon's event loop: GET and HEAD of four addresses, one request per connection.
//!
//! It expects hostile clients. Limits: [`Server::TOKENS`]` - 1` connections, ten seconds for each, 8 KB per request, no body. The
//! `Host` header must have an address of this machine or a configured name ([`hosts`]).

mod answer;
mod client;
mod hosts;
mod request;
mod server;

pub(crate) use answer::View;
pub(crate) use server::Server;
