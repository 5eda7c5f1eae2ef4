//! AES-256-CMAC as a conditioning component. Source: SP 800-38B, SP 800-90B 3.1.5.1.1.

use std::io;

use aes::Aes256;
use cmac::{Cmac, KeyInit as _, Mac as _};
use zeroize::Zeroizing;

use crate::source::batch::Batch;
use crate::urandom;

/// CMAC under one key.
pub(super) struct Conditioner {
    mac: Cmac<Aes256>,
}

impl Conditioner {
    /// Bytes of output.
    pub(super) const OUTPUT: usize = 16;

    /// Makes one with a key from `/dev/urandom`, whether or not the kernel's generator is ready: the key need not be secret.
    ///
    /// # Errors
    /// `/dev/urandom` cannot be read.
    pub(super) fn new() -> io::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        urandom::fill(&mut *key)?;
        Ok(Self::with_key(&key))
    }

    pub(super) fn with_key(key: &[u8; 32]) -> Self {
        Self { mac: Cmac::new(key.into()) }
    }

    /// Returns the CMAC of `input`.
    pub(super) fn condition(&self, input: &[u8]) -> Batch {
        let mut mac = self.mac.clone();
        mac.update(input);
        Batch::new(mac.finalize().into_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// The examples of AES-256-CMAC in SP 800-38B, appendix D.3.
    const EXAMPLES: &str = include_str!("../../../tests/vectors/AES-256-CMAC.txt");

    #[test]
    fn the_published_examples_of_the_standard_come_out() {
        let values = |name: &str| -> Vec<Vec<u8>> {
            let lines = EXAMPLES.lines().filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
            lines.map(|digits| bytes(digits.trim())).collect()
        };
        let (keys, messages, outputs) = (values("KEY"), values("MESSAGE"), values("OUTPUT"));
        assert_eq!((keys.len(), messages.len(), outputs.len()), (4, 4, 4));
        for ((key, message), expected) in keys.iter().zip(&messages).zip(&outputs) {
            let conditioner = Conditioner::with_key(key.as_slice().try_into().unwrap());
            assert_eq!(**conditioner.condition(message), **expected, "of {} bytes", message.len());
        }
    }

    #[test]
    fn openssl_agrees_for_all_lengths_below_80() {
        let key: [u8; 32] = std::array::from_fn(|at| (at * 37 + 11) as u8);
        let conditioner = Conditioner::with_key(&key);
        for len in 0..80_u8 {
            let message: Vec<u8> = (0..len).map(|at| at.wrapping_mul(151).wrapping_add(len)).collect();
            assert_eq!(**conditioner.condition(&message), *by_openssl(&key, &message), "of {len} bytes");
        }
    }

    fn by_openssl(key: &[u8], message: &[u8]) -> Vec<u8> {
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut openssl = Command::new("openssl")
            .args(["mac", "-cipher", "AES-256-CBC", "-macopt", &format!("hexkey:{key}"), "-in", "-", "CMAC"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("openssl 3 is needed for this test");
        openssl.stdin.take().unwrap().write_all(message).unwrap();
        let output = openssl.wait_with_output().unwrap();
        assert!(output.status.success(), "openssl mac: {}", output.status);
        bytes(String::from_utf8(output.stdout).unwrap().trim())
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = |at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap();
        (0..hex.len()).step_by(2).map(digits).collect()
    }
}
