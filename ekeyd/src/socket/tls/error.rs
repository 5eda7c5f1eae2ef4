//! What can be wrong with the TLS files, and what to do. The configuration or the host is always at fault, never the peer.

use std::io;
use std::path::PathBuf;

/// Says why a file cannot be used. No variant holds any part of a private key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The system refuses to open or read it.
    #[error("{}: cannot read: {source}; correct the path in the configuration, or the file's owner and mode", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a folder, a device or another special file.
    #[error("{}: not a regular file; correct the path in the configuration", .0.display())]
    NotAFile(PathBuf),
    /// It exceeds the size limit.
    #[error("{}: larger than 256 KiB, so not a certificate or key; correct the path in the configuration", .0.display())]
    TooLarge(PathBuf),
    /// The mode lets other users read or write the private key.
    #[error("{}: the private key has mode {mode:04o}, so other users can read it; chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The owner is neither root, nor the user of this process, nor the daemon's user.
    #[error("{}: the private key belongs to user {uid}, who can read and change it; chown root {}", path.display(), path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// It has no PEM block of a certificate.
    #[error("{}: holds no certificate; expected PEM, with the line -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// A PEM block in it is not a valid certificate.
    #[error("{}: holds a damaged certificate; copy the file again, or issue a new certificate", .0.display())]
    BadCertificate(PathBuf),
    /// It has no PEM block of an unencrypted private key.
    #[error("{}: holds no readable private key; expected PEM, with the line -----BEGIN PRIVATE KEY-----, not encrypted", .0.display())]
    NoKey(PathBuf),
    /// The private key has an unsupported type, or is damaged.
    #[error("{}: holds an unsupported private key; make one for ECDSA with P-256 or P-384, Ed25519, or RSA of 2048 bits or more", .0.display())]
    UnusableKey(PathBuf),
    /// The certificate has another public key.
    #[error("{}: this certificate does not match the private key {}; name two files that belong together", certificate.display(), key.display())]
    NoPair {
        /// The certificate.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// The certificate has expired.
    #[error("{}: the certificate expired on {ended}; get a new one from its authority, then send SIGHUP", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When it expired, in UTC.
        ended: String,
    },
    /// The certificate is not valid yet.
    #[error("{}: the certificate is not valid before {begins}; set this machine's clock, or wait", path.display())]
    NotYet {
        /// The file.
        path: PathBuf,
        /// From when it is valid, in UTC.
        begins: String,
    },
    /// rustls rejects an authority's certificate.
    #[error("{}: holds a certificate that cannot be an authority's; name the certificate that the authority signs with, as PEM", .0.display())]
    BadAuthority(PathBuf),
    /// No certificate can contain the host's name.
    #[error(
        "a certificate cannot contain the name `{0}`; connect by a name or address that the server's certificate has"
    )]
    BadName(String),
    /// rustls rejects the files for another reason.
    #[error("{}: cannot be used for TLS: {reason}", path.display())]
    Refused {
        /// The file most likely at fault.
        path: PathBuf,
        /// What rustls reports.
        reason: String,
    },
}
