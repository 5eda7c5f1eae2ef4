//! Takes a key from the kernel's driver, and gives it back.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rusb::{Context, DeviceHandle, Error};

use super::failure;
use super::layout::Layout;
use super::reader::BulkIn;
use crate::LinkError;

/// A key whose interfaces are all this process's. Dropping it gives them back to the kernel's driver.
pub(super) struct Claim {
    handle: DeviceHandle<Context>,
    layout: Layout,
    /// Closed after the handle, which uses it.
    _node: OwnedFd,
}

impl Claim {
    /// Detaches the kernel's driver and claims every interface.
    pub(super) fn take(handle: DeviceHandle<Context>, node: OwnedFd, path: &Path) -> Result<Self, LinkError> {
        let config = handle.device().active_config_descriptor().map_err(|error| failure::open(path, error))?;
        let layout = Layout::read(&config).ok_or_else(|| LinkError::NotAKey {
            path: path.to_owned(),
            what: "a USB device without bulk endpoints for data",
        })?;
        // From here on a claim that fails half way gives back by its drop what it had got.
        let claim = Self { handle, layout, _node: node };
        for &interface in &claim.layout.interfaces {
            claim.detach(interface).map_err(|error| failure::open(path, error))?;
        }
        for &interface in &claim.layout.interfaces {
            claim.handle.claim_interface(interface).map_err(|error| failure::open(path, error))?;
        }
        Ok(claim)
    }

    /// Sends bytes, and returns how many the key took. The timeout must not be zero, which would be for ever.
    pub(super) fn write(&self, bytes: &[u8], timeout: Duration) -> rusb::Result<usize> {
        self.handle.write_bulk(self.layout.bulk_out, bytes, timeout)
    }

    /// Clears the halt of the outgoing endpoint. Only after the key has said that it is halted.
    pub(super) fn clear_out_stall(&self) -> rusb::Result<()> {
        self.handle.clear_halt(self.layout.bulk_out)
    }

    /// Ends every transfer on the data interface, a read that waits in another thread too: the kernel does so when the interface
    /// is released. Afterwards it is not claimed.
    pub(super) fn end_transfers(&self) {
        // The kernel claims an interface for a process that starts a transfer on it, and libusb does not know. Claim it, so that it
        // can be released. Both fail when the key has gone, and then no read waits either.
        let _ = self.handle.claim_interface(self.layout.data);
        let _ = self.handle.release_interface(self.layout.data);
    }

    fn detach(&self, interface: u8) -> rusb::Result<()> {
        match self.handle.detach_kernel_driver(interface) {
            // No driver, or this one went along with the first: cdc_acm has both. libusb says the same of another program's claim,
            // which is then refused as busy.
            Err(Error::NotFound) => Ok(()),
            outcome => outcome,
        }
    }
}

impl BulkIn for Claim {
    fn packet_len(&self) -> usize {
        self.layout.packet_len
    }

    fn read(&self, buf: &mut [u8], timeout: Duration) -> rusb::Result<usize> {
        self.handle.read_bulk(self.layout.bulk_in, buf, timeout)
    }

    fn clear_stall(&self) -> rusb::Result<()> {
        self.handle.clear_halt(self.layout.bulk_in)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // All of this fails when the key has gone, and then it does not matter. Both interfaces must be free before the driver takes
        // the first, because it needs both.
        for &interface in self.layout.interfaces.iter().rev() {
            let _ = self.handle.release_interface(interface);
        }
        if let Some(&communications) = self.layout.interfaces.first() {
            let _ = self.handle.attach_kernel_driver(communications);
        }
    }
}
