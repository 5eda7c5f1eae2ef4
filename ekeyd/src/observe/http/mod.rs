//! Read-only HTTP/1.1 in the daemon's event loop: GET and HEAD of four addresses, one request per connection.
//!
//! It expects hostile clients. Limits: [`Server::TOKENS`]` - 1` connections, ten seconds for each, 8 KB per request, no body. If it
//! listens on loopback, the `Host` header must name this machine: otherwise a web page could read the status through a DNS name
//! that points to 127.0.0.1 (DNS rebinding).

mod answer;
mod client;
mod request;
mod server;

pub(crate) use answer::View;
pub(crate) use server::Server;
