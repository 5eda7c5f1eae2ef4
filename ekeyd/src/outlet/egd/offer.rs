//! What clients offer by `0x03`: mixed into the kernel without credit, if the configuration says so. Source: random(4): the kernel
//! mixes in what is written to the device, and credits none of it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// The kernel's random device.
pub(super) const RANDOM: &str = "/dev/random";

/// Where offered bytes go.
#[derive(Debug, Default)]
pub(super) struct Offers {
    device: Option<File>,
    /// Bytes mixed in.
    pub(super) mixed: u64,
    failed: bool,
}

impl Offers {
    /// Opens the random device at `path`. If that fails, ignores offers and logs it once.
    pub(super) fn to(path: &Path) -> Self {
        let device = OpenOptions::new().write(true).open(path);
        let device = device.inspect_err(|error| {
            tracing::warn!("{}: {error}; ignoring what clients offer: set offered = \"ignore\"", path.display());
        });
        Self { device: device.ok(), ..Self::default() }
    }

    /// Mixes in some bytes of an offer.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let Some(device) = &mut self.device else { return };
        match device.write_all(bytes) {
            Ok(()) => self.mixed += bytes.len() as u64,
            Err(error) if !self.failed => {
                self.failed = true;
                tracing::warn!("cannot mix what a client offered into the kernel: {error}");
            }
            Err(_) => {}
        }
    }
}
