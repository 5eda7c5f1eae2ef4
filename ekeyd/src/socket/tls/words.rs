//! Explains TLS errors to the operator: what is wrong with the peer, and what to do. Repeats nothing that the peer sent.

use rustls::{CertificateError, Error, PeerIncompatible};

/// Says which end the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// It connected to this machine.
    Client,
    /// This machine connected to it.
    Server,
}

impl Peer {
    /// Explains why there is no session with it.
    pub(super) fn refused(self, error: &Error) -> String {
        match (error, self) {
            (Error::NoCertificatesPresented, _) => {
                "it shows no certificate; give it one from the authority in `tls-authority`".to_owned()
            }
            (Error::InvalidCertificate(error), _) => self.certificate(error),
            (
                Error::PeerIncompatible(
                    PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon,
                ),
                _,
            ) => "it has no cipher in common with this machine; update its TLS library".to_owned(),
            (Error::PeerIncompatible(_), _) | (Error::AlertReceived(rustls::AlertDescription::ProtocolVersion), _) => {
                "it does not speak TLS 1.3; update its TLS library".to_owned()
            }
            (
                Error::InvalidMessage(_)
                | Error::InappropriateMessage { .. }
                | Error::InappropriateHandshakeMessage { .. },
                Self::Client,
            ) => "it does not speak TLS; correct its configuration, or give it a `tcp:` port".to_owned(),
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
                "its certificate has expired; get a new one for it, and check this machine's clock"
            }
            NotValidYet | NotValidYetContext { .. } => {
                "its certificate is not valid yet; check the clocks of both machines"
            }
            // BadSignature: another authority has the same name.
            UnknownIssuer | BadSignature => {
                "its certificate is from another authority; give it one from the authority in `tls-authority`"
            }
            NotValidForName | NotValidForNameContext { .. } => {
                "its certificate is for another name; connect by a name in the certificate, or add this name to it (subjectAltName)"
            }
            InvalidPurpose | InvalidPurposeContext { .. } if self == Self::Client => {
                "its certificate is not for clients; give it one with the extended key usage clientAuth"
            }
            InvalidPurpose | InvalidPurposeContext { .. } => {
                "its certificate is not for servers; give it one with the extended key usage serverAuth"
            }
            BadEncoding => "its certificate is damaged; give it a new one",
            other => {
                return format!(
                    "its certificate is rejected ({other}); give it one from the authority in `tls-authority`"
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
            CertificateExpired => {
                "it rejects this machine's certificate as expired; get a new one, and check the clocks of both machines".to_owned()
            }
            UnknownCA => {
                "it rejects this machine's certificate as from another authority; get one from the authority that it trusts".to_owned()
            }
            BadCertificate | CertificateRequired | CertificateUnknown | UnsupportedCertificate => {
                format!("it rejects this machine's certificate ({alert:?}); compare `tls-certificate` here with `tls-authority` there")
            }
            alert => format!("it ends the handshake ({alert:?}); see its log"),
        }
    }
}
