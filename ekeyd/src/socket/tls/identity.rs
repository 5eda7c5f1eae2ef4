//! Reads the TLS files: this machine's certificate and private key, and the authorities that may have issued the peer's.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use ekey_control::amount;
use ekey_keyring::Untrusted;
use nix::fcntl::OFlag;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::{Zeroize as _, Zeroizing};

use super::error::TlsError;
use super::validity::{self, Validity};
use crate::config;

/// Size limit of each file, in bytes: more is neither a certificate nor a key.
const MOST_BYTES: u64 = 256 * 1024;

/// Holds what the files contain.
#[derive(Debug)]
pub(super) struct Identity {
    /// The certificate chain and the private key.
    pub(super) pair: Arc<CertifiedKey>,
    /// When all certificates of the chain are valid.
    pub(super) validity: Validity,
    /// The authorities that may have issued the peer's certificate.
    pub(super) roots: Arc<RootCertStore>,
}

/// Reads the files and checks that the certificate is valid now.
///
/// # Errors
/// [`TlsError`] for the first problem.
pub(crate) fn check(files: &config::Tls) -> Result<(), TlsError> {
    Identity::load(files)?.holds_now(files)
}

impl Identity {
    /// Reads the files. Does not check whether the certificate is valid now.
    ///
    /// # Errors
    /// [`TlsError`] for the first file that cannot be used.
    pub(super) fn load(files: &config::Tls) -> Result<Self, TlsError> {
        let chain = certificates(&files.certificate)?;
        let validity =
            chain.iter().map(|certificate| Validity::of(certificate)).reduce(|one, other| Some(one?.and(other?)));
        let validity = validity.flatten().ok_or_else(|| TlsError::BadCertificate(files.certificate.clone()))?;
        let pair = CertifiedKey::new(chain, private_key(&files.key)?);
        match pair.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(TlsError::NoPair { certificate: files.certificate.clone(), key: files.key.clone() });
            }
            Err(_) => return Err(TlsError::BadCertificate(files.certificate.clone())),
        }
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.authority)? {
            roots.add(authority).map_err(|_| TlsError::BadAuthority(files.authority.clone()))?;
        }
        Ok(Self { pair: Arc::new(pair), validity, roots: Arc::new(roots) })
    }

    /// Checks that the certificate is valid now.
    ///
    /// # Errors
    /// [`TlsError::Expired`] or [`TlsError::NotYet`].
    pub(super) fn holds_now(&self, files: &config::Tls) -> Result<(), TlsError> {
        let (now, path) = (validity::now(), files.certificate.clone());
        if now > self.validity.until {
            return Err(TlsError::Expired { path, ended: amount::utc(self.validity.until) });
        }
        if now < self.validity.from {
            return Err(TlsError::NotYet { path, begins: amount::utc(self.validity.from) });
        }
        Ok(())
    }
}

/// Returns the only cryptography that is built in.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = text_of(path, false)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::NoCertificate(path.to_owned())),
        Ok(found) => Ok(found),
        Err(_) => Err(TlsError::BadCertificate(path.to_owned())),
    }
}

fn private_key(path: &Path) -> Result<Arc<dyn SigningKey>, TlsError> {
    let text = text_of(path, true)?;
    let mut der = PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsError::NoKey(path.to_owned()))?;
    let key = ring::sign::any_supported_type(&der);
    der.zeroize();
    key.map_err(|_| TlsError::UnusableKey(path.to_owned()))
}

/// Reads a whole file. A `secret` one must have a trusted owner and be closed to other users, like the keyring.
fn text_of(path: &Path, secret: bool) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    // Non-blocking, because opening a pipe without a writer would hang the daemon.
    let nonblocking = OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    let path = path.to_owned();
    if !found.is_file() {
        return Err(TlsError::NotAFile(path));
    }
    match if secret { ekey_keyring::check_secret(&found) } else { Ok(()) } {
        Ok(()) => {}
        Err(Untrusted::Foreign { uid }) => return Err(TlsError::Foreign { path, uid }),
        Err(Untrusted::Exposed { mode }) => return Err(TlsError::Exposed { path, mode }),
    }
    if found.len() > MOST_BYTES {
        return Err(TlsError::TooLarge(path));
    }
    // Allocated at full size, because a growing Vec leaves copies of the key behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MOST_BYTES as usize + 64));
    file.take(MOST_BYTES).read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}
