//! The server's end: makes sessions of connections that come in, each with the certificate of the moment.

use std::io;
use std::sync::Arc;

use ekey_control::amount;
use ekey_control::status::EgdTlsStatus;
use mio::net::TcpStream;
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{Connection, ServerConnection};

use super::error::TlsError;
use super::identity::{Identity, provider};
use super::session::Session;
use super::validity::{self, Validity};
use super::words::Other;
use crate::config;

const DAY: i64 = 86_400;

/// What the sessions are made with.
#[derive(Debug)]
pub(crate) struct Acceptor {
    files: config::Tls,
    terms: Arc<ServerConfig>,
    validity: Validity,
    /// Why the files were not taken when they were read last.
    problem: Option<String>,
}

impl Acceptor {
    /// Reads the files. A certificate that does not hold at the moment is logged and used: the rest of the daemon does not depend on it.
    ///
    /// # Errors
    /// [`TlsError`] for the first thing that is wrong otherwise.
    pub(crate) fn open(files: &config::Tls) -> Result<Self, TlsError> {
        let identity = Identity::load(files)?;
        let problem = identity.holds_now(files).err().map(|error| error.to_string());
        if let Some(problem) = &problem {
            tracing::error!("{problem}");
        }
        let terms = terms(files, &identity)?;
        Ok(Self { files: files.clone(), terms, validity: identity.validity, problem })
    }

    /// Reads the files again, for the sessions from now on. Those that there are go on as they are.
    ///
    /// # Errors
    /// [`TlsError`]; then everything stays as it was, and the status says so.
    pub(crate) fn reload(&mut self) -> Result<(), TlsError> {
        let read = || {
            let identity = Identity::load(&self.files)?;
            identity.holds_now(&self.files)?;
            Ok((terms(&self.files, &identity)?, identity.validity))
        };
        match read() {
            Ok((terms, validity)) => {
                (self.terms, self.validity, self.problem) = (terms, validity, None);
                Ok(())
            }
            Err(error) => {
                self.problem = Some(format!("{error}; until then the one before stays in use"));
                Err(error)
            }
        }
    }

    /// Begins a session; nothing has been sent yet.
    ///
    /// # Errors
    /// What the library says if it cannot.
    pub(crate) fn accept(&self, socket: TcpStream) -> io::Result<Session> {
        let mut connection = ServerConnection::new(Arc::clone(&self.terms)).map_err(io::Error::other)?;
        // Answers are small, and no more than one batch of them is encrypted ahead.
        connection.set_buffer_limit(Some(16 * 1024));
        Ok(Session::new(Connection::Server(connection), socket, Other::Client))
    }

    /// When the certificate ends, for the log.
    pub(crate) fn valid_until(&self) -> String {
        amount::utc(self.validity.until)
    }

    /// The certificate as people and programs get to see it; the counts are the listener's to fill in.
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

fn terms(files: &config::Tls, identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let refused =
        |error: &dyn std::fmt::Display| TlsError::Refused { path: files.authority.clone(), reason: error.to_string() };
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&identity.roots), provider())
        .build()
        .map_err(|error| refused(&error))?;
    let mut terms = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| refused(&error))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&identity.pair))));
    terms.session_storage = Arc::new(NoServerSessionStorage {});
    terms.send_tls13_tickets = 0;
    Ok(Arc::new(terms))
}
