//! What can go wrong with an EGD server, and what to do about it. Each of these ends the connection and nothing else.

use std::io;
use std::time::Duration;

use ekey_egd::ServerError;

/// Why a connection to a server ended or failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The host's name has no address (config, or the name server).
    #[error("its name cannot be resolved: {0}; correct it in `connect`, or check the name server")]
    Unresolved(io::Error),
    /// It cannot be reached (server, or the network).
    #[error("cannot connect: {0}; see that its EGD server runs and that no firewall is in the way")]
    Unreachable(io::Error),
    /// It does not accept the connection (network).
    #[error("cannot connect within {} s; see that it runs and that no firewall is in the way", .0.as_secs())]
    NotConnected(Duration),
    /// It hung up (server).
    #[error("it closed the connection; check there whether it was stopped or has too many clients")]
    Closed,
    /// The connection broke (network).
    #[error("the connection broke: {0}; check the network")]
    Broken(io::Error),
    /// This machine's TLS files cannot be used (config or host).
    #[cfg(feature = "tls")]
    #[error("this machine's files for TLS: {0}")]
    Files(#[from] crate::socket::tls::TlsError),
    /// No such files are configured (config).
    #[error("TLS needs a certificate, and none is configured; name tls-certificate, tls-key and tls-authority")]
    NoFiles,
    /// One end does not trust the other's certificate (server, config, or an attacker).
    #[error("{0}")]
    NotTrusted(String),
    /// It accepts the connection but does not finish the handshake (server, or the network).
    #[cfg(feature = "tls")]
    #[error("it does not finish the TLS handshake in time; check whether it speaks TLS, and how busy it is")]
    NotSecured,
    /// Its bytes fail a health test (server, or what feeds it).
    #[error("{0}")]
    Unfit(String),
    /// It does not speak EGD as it should.
    #[error(transparent)]
    Server(#[from] ServerError),
}
