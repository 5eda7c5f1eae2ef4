//! What TLS says of the other end, in words that tell what to do. Nothing that the other end sent is repeated.

use rustls::{CertificateError, Error, PeerIncompatible};

/// Which end the other one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// Somebody who connected to this machine.
    Client,
    /// Whom this machine connected to.
    Server,
}

impl Other {
    /// Why there is no session with it.
    pub(super) fn refused(self, error: &Error) -> String {
        match (error, self) {
            (Error::NoCertificatesPresented, _) => {
                "it shows no certificate; give it one of the authority in `tls-authority`".to_owned()
            }
            (Error::InvalidCertificate(error), _) => self.certificate(error),
            (
                Error::PeerIncompatible(
                    PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon,
                ),
                _,
            ) => "it has no method of encryption in common with this machine; bring its TLS up to date".to_owned(),
            (Error::PeerIncompatible(_), _) | (Error::AlertReceived(rustls::AlertDescription::ProtocolVersion), _) => {
                "it does not speak TLS 1.3; bring its TLS up to date".to_owned()
            }
            (
                Error::InvalidMessage(_)
                | Error::InappropriateMessage { .. }
                | Error::InappropriateHandshakeMessage { .. },
                Self::Client,
            ) => "it does not speak TLS; correct its configuration, or have it use another port".to_owned(),
            (
                Error::InvalidMessage(_)
                | Error::InappropriateMessage { .. }
                | Error::InappropriateHandshakeMessage { .. },
                Self::Server,
            ) => "it does not speak TLS; correct the address in `connect`, or use `tcp:`".to_owned(),
            (Error::AlertReceived(alert), _) => self.alert(*alert),
            (error, _) => format!("TLS fails: {error}"),
        }
    }

    fn certificate(self, error: &CertificateError) -> String {
        use CertificateError::{
            BadEncoding, BadSignature, Expired, ExpiredContext, InvalidPurpose, InvalidPurposeContext, NotValidForName,
            NotValidForNameContext, NotValidYet, NotValidYetContext, UnknownIssuer,
        };
        let words = match error {
            Expired | ExpiredContext { .. } => {
                "its certificate has expired; have a new one made for it, and see that this machine's clock is right"
            }
            NotValidYet | NotValidYetContext { .. } => {
                "its certificate is of the future; see that the clocks of both machines are right"
            }
            // Another authority of the same name.
            UnknownIssuer | BadSignature => {
                "its certificate is of another authority; have one made by the authority in `tls-authority`"
            }
            NotValidForName | NotValidForNameContext { .. } => {
                "its certificate is for another name; connect by a name that it has, or have one made with this name (subjectAltName)"
            }
            InvalidPurpose | InvalidPurposeContext { .. } if self == Self::Client => {
                "its certificate is for another purpose; have one made for clients (clientAuth)"
            }
            InvalidPurpose | InvalidPurposeContext { .. } => {
                "its certificate is for another purpose; have one made for servers (serverAuth)"
            }
            BadEncoding => "its certificate cannot be read; have a new one made",
            other => {
                return format!(
                    "its certificate is refused ({other}); have one made by the authority in `tls-authority`"
                );
            }
        };
        words.to_owned()
    }

    fn alert(self, alert: rustls::AlertDescription) -> String {
        use rustls::AlertDescription::{
            BadCertificate, CertificateExpired, CertificateRequired, CertificateUnknown, UnknownCA,
            UnsupportedCertificate,
        };
        match alert {
            CertificateExpired => "it refuses this machine's certificate as expired; have a new one made, and see that the clocks of both machines are right".to_owned(),
            UnknownCA => "it refuses this machine's certificate as of another authority; have one made by the authority that it trusts".to_owned(),
            BadCertificate | CertificateRequired | CertificateUnknown | UnsupportedCertificate => {
                format!("it refuses this machine's certificate ({alert:?}); see `tls-certificate` here and `tls-authority` there")
            }
            alert => format!("it ends the handshake ({alert:?}); see its log"),
        }
    }
}
