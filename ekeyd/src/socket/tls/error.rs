//! What can be wrong with the files of TLS, and what to do. All of it is the configuration's or the host's fault.

use std::io;
use std::path::PathBuf;

/// A file that cannot be used. No variant holds any part of a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// It cannot be read.
    #[error("{}: cannot read: {source}; correct the path in the configuration, or the file's owner and mode", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is a folder, a device or the like.
    #[error("{}: not a regular file; correct the path in the configuration", .0.display())]
    NotAFile(PathBuf),
    /// No such file is that large.
    #[error("{}: larger than certificates can be (256 KiB); correct the path in the configuration", .0.display())]
    TooLarge(PathBuf),
    /// Others than its owner can read or write the private key.
    #[error("{}: the private key has mode {mode:04o}, so others may know it; chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The private key belongs to neither root, nor the user of this program, nor the daemon's.
    #[error("{}: the private key belongs to user {uid}, who knows it and may change it; chown root {}", path.display(), path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// There is no certificate in it.
    #[error("{}: holds no certificate; expected PEM, with the line -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    /// There is a certificate in it that is none.
    #[error("{}: holds a certificate that cannot be read; copy it again, or have a new one made", .0.display())]
    BadCertificate(PathBuf),
    /// There is no private key in it.
    #[error("{}: holds no private key that can be read; expected PEM, with the line -----BEGIN PRIVATE KEY-----, not encrypted", .0.display())]
    NoKey(PathBuf),
    /// The private key is of another kind, or damaged.
    #[error("{}: holds a private key that cannot be used; make one for ECDSA with P-256 or P-384, Ed25519, or RSA of 2048 bits or more", .0.display())]
    UnusableKey(PathBuf),
    /// Certificate and private key are no pair.
    #[error("{}: is the certificate of another private key than {}; name two that belong together", certificate.display(), key.display())]
    NoPair {
        /// The certificate.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// The certificate is of the past.
    #[error("{}: the certificate ended on {ended}; have its authority make a new one, then send SIGHUP", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When it ended.
        ended: String,
    },
    /// The certificate is of the future.
    #[error("{}: the certificate begins on {begins}; set this machine's clock, or wait", path.display())]
    NotYet {
        /// The file.
        path: PathBuf,
        /// When it begins.
        begins: String,
    },
    /// An authority's certificate is of no use for that.
    #[error("{}: holds a certificate that cannot be an authority's; name the file that the authority signs with, as PEM", .0.display())]
    BadAuthority(PathBuf),
    /// The host's name cannot stand in a certificate.
    #[error("`{0}` can be no name in a certificate; connect by a name or an address that the server's certificate has")]
    BadName(String),
    /// The library refuses what was read.
    #[error("{}: cannot be used for TLS: {reason}", path.display())]
    Refused {
        /// The file that it is most likely about.
        path: PathBuf,
        /// What the library said.
        reason: String,
    },
}
