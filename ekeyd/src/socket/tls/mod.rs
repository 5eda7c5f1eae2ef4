//! TLS 1.3 with a certificate at both ends, for EGD between machines.
//!
//! [`Acceptor`] is the server's end and [`Connector`] the client's. Both turn a TCP connection into a [`Session`], which the daemon
//! reads and writes like any other connection. A peer without a certificate from the configured authority fails in the handshake.
//! Sessions are never resumed: each connection checks the certificate again, so an expired one stops working at once.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod acceptor;
#[cfg(feature = "tls")]
mod connector;
#[cfg(feature = "tls")]
mod error;
#[cfg(feature = "tls")]
mod identity;
#[cfg(feature = "tls")]
mod session;
#[cfg(feature = "tls")]
mod validity;
#[cfg(feature = "tls")]
mod words;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{Acceptor, Connector, Session, TlsError, check};
#[cfg(feature = "tls")]
pub(crate) use {acceptor::Acceptor, connector::Connector, error::TlsError, identity::check, session::Session};
