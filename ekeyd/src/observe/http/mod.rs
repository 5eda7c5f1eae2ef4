//! HTTP/1.1 for looking at the daemon, in its event loop: GET and HEAD of a handful of addresses, one request a connection.
//!
//! Whoever connects is hostile until shown otherwise: there are at most [`Server::TOKENS`]` - 1` connections, each has ten
//! seconds for everything, a request has at most 8 KB, and a body is refused. Where only this machine may ask, a request
//! must also name this machine as its host: a page from elsewhere cannot read the status through a name that it has
//! pointed here.

mod answer;
mod client;
mod request;
mod server;

pub(crate) use answer::View;
pub(crate) use server::Server;
