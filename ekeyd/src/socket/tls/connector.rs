//! The client's end: starts a TLS session with a server. Its certificate must be for its name, and from the configured authority.

use std::io;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection};

use super::error::TlsError;
use super::identity::{Identity, provider};
use super::session::Session;
use super::words::Peer;
use crate::config;

/// Starts sessions with one server.
#[derive(Debug)]
pub(crate) struct Connector {
    terms: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Connector {
    /// Reads the files. `host` is the server's name or address.
    ///
    /// # Errors
    /// [`TlsError`] for the first file that cannot be used, or if `host` cannot be in a certificate.
    pub(crate) fn open(files: &config::Tls, host: &str) -> Result<Self, TlsError> {
        let identity = Identity::load(files)?;
        identity.holds_now(files)?;
        let name = ServerName::try_from(host.strip_suffix('.').unwrap_or(host).to_owned());
        let name = name.map_err(|_| TlsError::BadName(host.escape_debug().to_string()))?;
        let refused =
            |error: rustls::Error| TlsError::Refused { path: files.authority.clone(), reason: error.to_string() };
        let mut terms = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(refused)?
            .with_root_certificates(identity.roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.pair)));
        terms.resumption = Resumption::disabled();
        Ok(Self { terms: Arc::new(terms), name })
    }

    /// Starts a session on a connected `socket`. Sends nothing yet.
    ///
    /// # Errors
    /// Whatever rustls reports.
    pub(crate) fn connect(&self, socket: TcpStream) -> io::Result<Session> {
        let connection = ClientConnection::new(Arc::clone(&self.terms), self.name.clone()).map_err(io::Error::other)?;
        Ok(Session::new(Connection::Client(connection), socket, Peer::Server))
    }
}
