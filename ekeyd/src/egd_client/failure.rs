//! What can go wrong with an EGD server, and what to do about it. All of it ends the connection and nothing else.

use std::io;
use std::time::Duration;

use crate::tls::TlsError;

/// Why there is no connection to a server any more, or none yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The host's name leads nowhere (config, or the name server).
    #[error("its name cannot be resolved: {0}; correct it in `connect`, or see to the name server")]
    Unresolved(io::Error),
    /// It cannot be reached (server, or the network).
    #[error("cannot connect: {0}; see that its EGD server runs and that no firewall is in the way")]
    Unreachable(io::Error),
    /// It does not take the connection (network).
    #[error("cannot connect within {} s; see that it runs and that no firewall is in the way", .0.as_secs())]
    NotConnected(Duration),
    /// It hung up (server).
    #[error("it closed the connection; see there whether it was stopped or has too many clients")]
    Closed,
    /// The connection broke (network).
    #[error("the connection broke: {0}; see to the network")]
    Broken(io::Error),
    /// The files that this machine shows itself with cannot be used (config or host).
    #[error("this machine's files for TLS: {0}")]
    Files(#[from] TlsError),
    /// There are none (config).
    #[error("it is to be reached by TLS, and there is no certificate; name tls-certificate, tls-key and tls-authority")]
    NoFiles,
    /// It is not whom it should be, or does not take this machine for whom it should (server, config, or an attacker).
    #[error("{0}")]
    NotTrusted(String),
    /// It takes connections and does not finish the handshake (server, or the network).
    #[error("it does not finish the TLS handshake in time; see whether it speaks TLS, and how busy it is")]
    NotSecured,
    /// It does not answer, or has no more entropy (server).
    #[error("it has sent nothing for {} s; see there whether its key runs (ekey-ctl status)", .0.as_secs())]
    Silent(Duration),
    /// It speaks something else (config, or an attacker).
    #[error("it does not answer as an EGD server does; correct the address in `connect`")]
    NotEgd,
    /// It sent more than was asked for, so nothing that it sent can be told apart (server, or an attacker).
    #[error("it sent bytes that were not asked for, so none of them is used; correct the address in `connect`")]
    NotAskedFor,
}
