//! The client's end: makes sessions of connections to a server whose certificate must be of the authority, and for its name.

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
use super::words::Other;
use crate::config;

/// What the sessions with one server are made with.
#[derive(Debug)]
pub(crate) struct Connector {
    terms: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Connector {
    /// Reads the files, for sessions with the server of this name or address.
    ///
    /// # Errors
    /// [`TlsError`] for the first thing that is wrong.
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

    /// Begins a session on a connection that was taken.
    ///
    /// # Errors
    /// What the library says if it cannot.
    pub(crate) fn connect(&self, socket: TcpStream) -> io::Result<Session> {
        let connection = ClientConnection::new(Arc::clone(&self.terms), self.name.clone()).map_err(io::Error::other)?;
        Ok(Session::new(Connection::Client(connection), socket, Other::Server))
    }
}
