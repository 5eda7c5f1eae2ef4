//! Sockets that the daemon listens on, and the connections that come in.

mod listener;
mod stream;
pub(crate) mod tls;

pub(crate) use listener::{Access, ListenError, Listener};
pub(crate) use stream::Stream;
