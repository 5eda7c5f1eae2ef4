//! Reads the period in which a certificate is valid (RFC 5280 4.1.2.5), to warn the operator before this machine's own expires.
//!
//! rustls checks the peer's certificate itself, but gives no access to the times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::der::{self, Reader as _, SliceReader};
use x509_cert::time;

/// The tag of a certificate's optional first field.
const VERSION: u8 = 0xa0;

/// A period of validity, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    /// The first second.
    pub(super) from: u64,
    /// The last second.
    pub(super) until: u64,
}

impl Validity {
    /// Reads the period from a certificate in DER. Returns `None` if it cannot be parsed.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let validity = read(certificate).ok()?;
        let [from, until] = [validity.not_before, validity.not_after].map(|time| time.to_unix_duration().as_secs());
        Some(Self { from, until })
    }

    /// Returns the period in which both are valid.
    pub(super) fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

/// Finds the times in a certificate. `x509_cert::Certificate` would parse the names and extensions too, which rustls does with its own
/// parser, for another 35 KB of code.
fn read(certificate: &[u8]) -> der::Result<time::Validity> {
    SliceReader::new(certificate)?.sequence(|certificate| {
        let validity = certificate.sequence(|fields| {
            if fields.peek_byte() == Some(VERSION) {
                fields.tlv_bytes()?;
            }
            for _ in ["serialNumber", "signature", "issuer"] {
                fields.tlv_bytes()?;
            }
            let validity = fields.decode()?;
            fields.drain(fields.remaining_len())?;
            Ok::<_, der::Error>(validity)
        })?;
        certificate.drain(certificate.remaining_len())?;
        Ok(validity)
    })
}

/// Returns the seconds since 1970; 0 if the clock is set to an earlier time.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding as _};

    use super::*;

    // Made with `openssl ca -selfsign -startdate … -enddate …`; the times in seconds are those of `date -u -d … +%s`.
    const CERTIFICATES: [(&str, Validity); 3] = [
        (
            "MIHyMIGloAMCAQICAQowBQYDK2VwMAwxCjAIBgNVBAMMAWEwHhcNMjYwMTAxMDAwMDAwWhcNMjcwMTAxMDAwMDAwWjAMMQowCAYDVQQD\
             DAFhMCowBQYDK2VwAyEAxdeslPqs9WQvZ+6+14LFCUvPimgeOjDJANC+dGM3rS2jLDAqMAkGA1UdEwQCMAAwHQYDVR0OBBYEFDGXQo12\
             TyC28ZVZ1K71H1vVHJuxMAUGAytlcANBAPn1CH4o6xjhEclYqYIDg6/1J7eCHeiiT7jyItmk9v8aXZaQcxV27/LskKacoLCUsHJfr47B\
             c24u2gvF8ykAXA4=",
            Validity { from: 1_767_225_600, until: 1_798_761_600 },
        ),
        (
            "MIHAMHQCAQgwBQYDK2VwMAwxCjAIBgNVBAMMAWEwIBcNNDkxMjMxMjM1OTU5WhgPMjA1MDAxMDEwMDAwMDBaMAwxCjAIBgNVBAMMAWEw\
             KjAFBgMrZXADIQDF16yU+qz1ZC9n7r7XgsUJS8+KaB46MMkA0L50YzetLTAFBgMrZXADQQAjy7VBbR/x6kAO1KmQef976PQfltERxRse\
             gBUWGqxqJCp3RVubJkSHEt3OXwaNkj9pVfe98Z8oiIWa78CEfdYE",
            Validity { from: 2_524_607_999, until: 2_524_608_000 },
        ),
        (
            "MIHAMHQCAQkwBQYDK2VwMAwxCjAIBgNVBAMMAWEwIBcNNzAwMTAxMDAwMDAwWhgPOTk5OTEyMzEyMzU5NTlaMAwxCjAIBgNVBAMMAWEw\
             KjAFBgMrZXADIQDF16yU+qz1ZC9n7r7XgsUJS8+KaB46MMkA0L50YzetLTAFBgMrZXADQQANPgxB0Pnc4S6GeIXFczQkjRJwotu/qpOi\
             nNsdTdZYA5Pgh1s4LNoYvIDla8jPNc4abtlB5J//bGlay8YxXpsC",
            Validity { from: 0, until: 253_402_300_799 },
        ),
    ];

    #[test]
    fn both_forms_of_time_are_read() {
        for (certificate, expected) in CERTIFICATES {
            let certificate = Base64::decode_vec(certificate).unwrap();
            assert_eq!(Validity::of(&certificate), Some(expected));
        }
    }

    #[test]
    fn a_truncated_certificate_is_rejected() {
        let certificate = Base64::decode_vec(CERTIFICATES[0].0).unwrap();
        for end in 0..certificate.len() {
            assert_eq!(Validity::of(&certificate[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn two_certificates_share_the_shorter_period() {
        let [one, other] = [Validity { from: 1, until: 5 }, Validity { from: 3, until: 9 }];
        assert_eq!(one.and(other), Validity { from: 3, until: 5 });
    }
}
