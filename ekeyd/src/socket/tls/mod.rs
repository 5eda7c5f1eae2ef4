//! TLS, version 1.3 alone, with a certificate at either end: how EGD goes from one machine to another.
//!
//! [`Acceptor`] is the server's end and [`Connector`] the client's; either makes a [`Session`] of a TCP connection, which is read and
//! written as any other. Whoever has no certificate of the configured authority gets as far as the handshake and no further.
//! Nothing is resumed: each connection shows its certificate anew, so that one that has expired lets nobody in.

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
