//! AES-256-CMAC as a conditioning component. Source: SP 800-38B, SP 800-90B 3.1.5.1.1.

use std::fs::File;
use std::io::{self, Read as _};

use aes::Aes256;
use cmac::{Cmac, KeyInit as _, Mac as _};
use zeroize::Zeroizing;

use crate::pool::Batch;

/// CMAC under one key.
pub(super) struct Conditioner {
    mac: Cmac<Aes256>,
}

impl Conditioner {
    /// Bytes that come out.
    pub(super) const OUTPUT: usize = 16;

    /// Under a key from `/dev/urandom`, which does not wait for a kernel that is still to be seeded: the key need not be
    /// secret.
    ///
    /// # Errors
    /// Whatever keeps `/dev/urandom` from being read.
    pub(super) fn new() -> io::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        File::open("/dev/urandom")?.read_exact(&mut *key)?;
        Ok(Self::with_key(&key))
    }

    pub(super) fn with_key(key: &[u8; 32]) -> Self {
        Self { mac: Cmac::new(key.into()) }
    }

    /// The CMAC of `input`.
    pub(super) fn condition(&self, input: &[u8]) -> Batch {
        let mut mac = self.mac.clone();
        mac.update(input);
        Zeroizing::new(mac.finalize().into_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of AES-256-CMAC in SP 800-38B, appendix D.3.
    #[test]
    fn the_examples_of_the_standard_come_out() {
        let key = bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let message = bytes(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        let conditioner = Conditioner::with_key(&key.try_into().unwrap());
        for (length, due) in [
            (0, "028962f61b7bf89efc6b551f4667d983"),
            (16, "28a7023f452e8f82bd4bf28d8c37c35c"),
            (40, "aaf3d8f1de5640c232f5b169b9c911e6"),
            (64, "e1992190549f6ed5696a2c056c315410"),
        ] {
            assert_eq!(**conditioner.condition(&message[..length]), *bytes(due), "of {length} bytes");
        }
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }
}
