//! Checks what a client's certificate is for.
//!
//! rustls takes a client's certificate that does not say what it is for, such as an authority may issue for anything. So does a
//! server's old certificate, in the hands of another machine. Here a client's certificate needs the extended key usage clientAuth
//! (RFC 5280 4.2.1.12).

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{self, Reader as _, SliceReader};

/// The extension with the extended key usage.
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// The tag of the extensions, a certificate's last field.
const EXTENSIONS: u8 = 0xa3;

/// Verifies clients as another verifier does, and requires an extended key usage. The other one checks that it includes clientAuth.
#[derive(Debug)]
pub(super) struct ClientsOnly(pub(super) Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for ClientsOnly {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        if states_a_purpose(end_entity) { Ok(verified) } else { Err(CertificateError::InvalidPurpose.into()) }
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Returns whether a certificate in DER has an extended key usage.
fn states_a_purpose(certificate: &[u8]) -> bool {
    has_extension(certificate, EXTENDED_KEY_USAGE).unwrap_or(false)
}

fn has_extension(certificate: &[u8], wanted: ObjectIdentifier) -> der::Result<bool> {
    SliceReader::new(certificate)?.sequence(|certificate| {
        let found = certificate.sequence(|fields| {
            while fields.peek_byte().is_some_and(|tag| tag != EXTENSIONS) {
                fields.tlv_bytes()?;
            }
            if fields.is_finished() {
                return Ok(false);
            }
            let extensions: AnyRef<'_> = fields.decode()?;
            SliceReader::new(extensions.value())?.sequence(|extensions| {
                let mut found = false;
                while !extensions.is_finished() {
                    found |= extensions.sequence(|extension| {
                        let name: ObjectIdentifier = extension.decode()?;
                        extension.drain(extension.remaining_len())?;
                        Ok::<_, der::Error>(name == wanted)
                    })?;
                }
                Ok::<_, der::Error>(found)
            })
        })?;
        certificate.drain(certificate.remaining_len())?;
        Ok(found)
    })
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding as _};

    use super::*;

    // Made with `openssl req -x509 -newkey ed25519`, with `-addext extendedKeyUsage=clientAuth` for the first.
    const WITH: &str = "\
        MIIBQzCB9qADAgECAhQrqBexpEwPQOlwXLdchJ/g/pjBYDAFBgMrZXAwDDEKMAgGA1UEAwwBYTAgFw0yNjExMjcwODE4MzZaGA8yMTI2\
        MTEwMzA4MTgzNlowDDEKMAgGA1UEAwwBYTAqMAUGAytlcAMhANrmED6Bh1amZLIwJKbgLS3xXAQk/xKQpuBjk1gCLdJlo2gwZjAdBgNV\
        HQ4EFgQUy1rQozUvFsyGSs2D9CU/xYlqGgQwHwYDVR0jBBgwFoAUy1rQozUvFsyGSs2D9CU/xYlqGgQwDwYDVR0TAQH/BAUwAwEB/zAT\
        BgNVHSUEDDAKBggrBgEFBQcDAjAFBgMrZXADQQB9lxajb3x6ZOXQoS2GwMg2ZktxpAu090XoFH0+m9bv/7rnIvom57k9QsCneaAkLpy9\
        ERgn+FQMBoDR9jaK98UM";
    const WITHOUT: &str = "\
        MIIBLjCB4aADAgECAhR6YlM90CqpN1wiPv9S8VZlBibm7DAFBgMrZXAwDDEKMAgGA1UEAwwBYTAgFw0yNjExMjcwODE4MzZaGA8yMTI2\
        MTEwMzA4MTgzNlowDDEKMAgGA1UEAwwBYTAqMAUGAytlcAMhAE0Nj9XYLZamqbv8byZaQSOk7oxGQoC6LQEEae/rkmJoo1MwUTAdBgNV\
        HQ4EFgQU3ePo2m1zdGaqLzqNSpSLM5trciwwHwYDVR0jBBgwFoAU3ePo2m1zdGaqLzqNSpSLM5trciwwDwYDVR0TAQH/BAUwAwEB/zAF\
        BgMrZXADQQBV+NI5uoTICZRzJl5Aqa+/6A/N+7efp7Ln52cKVfUZ2Ix7a7XpCQIe3XBoq3F5VP5vSYeeD1GxRAwiHBULuTIB";

    #[test]
    fn an_extended_key_usage_is_found() {
        for (certificate, expected) in [(WITH, true), (WITHOUT, false)] {
            assert_eq!(states_a_purpose(&Base64::decode_vec(certificate).unwrap()), expected);
        }
    }

    #[test]
    fn a_truncated_certificate_states_no_purpose() {
        let certificate = Base64::decode_vec(WITH).unwrap();
        for end in 0..certificate.len() {
            assert!(!states_a_purpose(&certificate[..end]), "cut at {end}");
        }
    }
}
