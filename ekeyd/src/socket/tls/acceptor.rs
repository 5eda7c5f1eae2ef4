//! The server's end: starts a TLS session on each accepted connection, with the certificate that is loaded at that moment.

use std::io;
use std::sync::Arc;

use ekey_control::amount;
use ekey_control::status::EgdTlsStatus;
use mio::net::TcpStream;
use rustls::RootCertStore;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{Connection, ServerConnection};

use super::error::TlsError;
use super::identity::{Identity, provider};
use super::purpose::ClientsOnly;
use super::session::Session;
use super::validity::{self, Validity};
use super::words::Peer;
use crate::config;

const DAY: i64 = 86_400;

/// What a session begins with.
#[derive(Debug)]
struct Terms {
    server: Arc<ServerConfig>,
    clients: Arc<ClientsOnly>,
    authorities: Arc<RootCertStore>,
}

/// Starts sessions from the configured certificate files.
#[derive(Debug)]
pub(crate) struct Acceptor {
    files: config::Tls,
    terms: Terms,
    validity: Validity,
    /// Why the last reading of the files failed, or found a certificate that is not valid now.
    problem: Option<String>,
}

impl Acceptor {
    /// Reads the files. A certificate that is not valid now is logged and used: it must not keep the rest of the daemon from
    /// starting.
    ///
    /// # Errors
    /// [`TlsError`] for the first file that cannot be used.
    pub(crate) fn open(files: &config::Tls) -> Result<Self, TlsError> {
        let identity = Identity::load(files)?;
        let problem = identity.holds_now(files).err().map(|error| error.to_string());
        if let Some(problem) = &problem {
            tracing::error!("{problem}");
        }
        let terms = terms(files, &identity)?;
        Ok(Self { files: files.clone(), terms, validity: identity.validity, problem })
    }

    /// Reads the files again for later sessions. Sessions that are open keep this machine's old certificate. Returns whether the
    /// authorities are others: then [`judge`](Self::judge) each open session.
    ///
    /// # Errors
    /// [`TlsError`]; the previous certificate then stays in use, and the status shows the problem.
    pub(crate) fn reload(&mut self) -> Result<bool, TlsError> {
        let read = || {
            let identity = Identity::load(&self.files)?;
            identity.holds_now(&self.files)?;
            Ok((terms(&self.files, &identity)?, identity.validity))
        };
        match read() {
            Ok((terms, validity)) => {
                let are_others = terms.authorities.roots != self.terms.authorities.roots;
                (self.terms, self.validity, self.problem) = (terms, validity, None);
                Ok(are_others)
            }
            Err(error) => {
                self.problem = Some(format!("{error}; the previous certificate stays in use until then"));
                Err(error)
            }
        }
    }

    /// Starts a session on `socket`. Sends nothing yet.
    ///
    /// # Errors
    /// Whatever rustls reports.
    pub(crate) fn accept(&self, socket: TcpStream) -> io::Result<Session> {
        let mut connection = ServerConnection::new(Arc::clone(&self.terms.server)).map_err(io::Error::other)?;
        // Answers are small: one batch of them is the most that is encrypted ahead.
        connection.set_buffer_limit(Some(16 * 1024));
        Ok(Session::new(Connection::Server(connection), socket, Peer::Client))
    }

    /// Checks again whether the client of an open session has a certificate of a configured authority.
    ///
    /// # Errors
    /// Why not, and what to do. A session in the handshake began with other authorities.
    pub(crate) fn judge(&self, session: &Session) -> Result<(), String> {
        let [end_entity, intermediates @ ..] = session.certificates() else {
            return Err("the authority was replaced during its handshake; it may connect again".to_owned());
        };
        let verified = self.terms.clients.verify_client_cert(end_entity, intermediates, UnixTime::now());
        verified.map(drop).map_err(|error| Peer::Client.refused(&error))
    }

    /// Returns when the certificate expires, in UTC, for the log.
    pub(crate) fn valid_until(&self) -> String {
        amount::utc(self.validity.until)
    }

    /// Reports the certificate. The listener fills in the counts.
    pub(crate) fn status(&self) -> EgdTlsStatus {
        let left = self.validity.until.cast_signed() - validity::now().cast_signed();
        EgdTlsStatus {
            certificate: self.files.certificate.display().to_string(),
            valid_until: amount::utc(self.validity.until),
            days_left: left.div_euclid(DAY),
            problem: self.problem.clone(),
            ..EgdTlsStatus::default()
        }
    }
}

fn terms(files: &config::Tls, identity: &Identity) -> Result<Terms, TlsError> {
    let refused =
        |error: &dyn std::fmt::Display| TlsError::Refused { path: files.authority.clone(), reason: error.to_string() };
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&identity.roots), provider())
        .build()
        .map_err(|error| refused(&error))?;
    let clients = Arc::new(ClientsOnly(verifier));
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| refused(&error))?
        .with_client_cert_verifier(Arc::clone(&clients) as Arc<dyn ClientCertVerifier>)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&identity.pair))));
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Terms { server: Arc::new(server), clients, authorities: Arc::clone(&identity.roots) })
}
