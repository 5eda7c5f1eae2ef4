//! TLS 1.3 with a certificate at both ends, for EGD between machines.
//!
//! [`Acceptor`] is the server's end and [`Connector`] the client's. Both turn a TCP connection into a [`Session`], which the daemon
//! reads and writes like any other connection. A peer without a certificate from the configured authority fails in the handshake.
//! Sessions are never resumed: each connection checks the certificate again. A session knows when the peer's certificate expires, and
//! [`Acceptor::judge`] says whether its authority is still configured: the EGD server ends it then.

mod acceptor;
mod connector;
mod error;
mod identity;
mod purpose;
mod session;
mod validity;
mod words;

pub(crate) use acceptor::Acceptor;
pub(crate) use connector::Connector;
pub(crate) use error::TlsError;
pub(crate) use identity::check;
pub(crate) use session::Session;
