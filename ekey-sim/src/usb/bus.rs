//! A key and the bus that it is on, without a socket and without a clock.

use std::time::Duration;

use super::event::UsbEvent;
use super::key::UsbKey;
use super::protocol::{Protocol, Violation};
use super::redir::Redir;
use super::vhci::UsbIp;
use crate::device::{Device, Output};

/// A USB key on its bus: bytes from the host's side in, bytes for it out.
///
/// [`run_usbredir`](crate::run_usbredir) and [`run_vhci`](crate::run_vhci) drive one in real time. Drive one yourself
/// to embed a key in an event loop, or to test it on a virtual clock. Time is a [`Duration`] since the key was made.
pub struct UsbBus {
    key: UsbKey,
    protocol: Box<dyn Protocol + Send>,
}

impl UsbBus {
    /// Puts `device` on a bus of QEMU's, which speaks the usbredir protocol. The key is unplugged.
    #[must_use]
    pub fn usbredir(device: Device) -> Self {
        Self { key: UsbKey::new(device), protocol: Box::new(Redir::default()) }
    }

    /// Puts `device` on a bus of a Linux kernel's, which speaks the USB/IP protocol. The key is unplugged.
    #[must_use]
    pub fn usbip(device: Device) -> Self {
        Self { key: UsbKey::new(device), protocol: Box::new(UsbIp::default()) }
    }

    /// Starts again for a new host.
    pub fn connect(&mut self) {
        self.protocol.connected();
    }

    /// Plugs the key in or unplugs it, unless it is so already. An unplugged key has no power.
    pub fn set_plugged(&mut self, now: Duration, plugged: bool) {
        if plugged == self.key.is_powered() {
            return;
        }
        if plugged {
            self.key.plug(now);
        } else {
            self.key.pull();
        }
        self.protocol.plugged(plugged);
    }

    /// Handles bytes from the host, in pieces of any size.
    ///
    /// # Errors
    /// [`Violation`] if the host breaks the protocol. Nothing after that can be parsed, so disconnect it.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Violation> {
        self.protocol.receive(now, bytes, &mut self.key)
    }

    /// Completes transfers and lets the key speak, until both wait or `most` bytes are [`outgoing`](Self::outgoing).
    ///
    /// `record` gets what the key says before any of it is outgoing. Returns whether there may be more to do.
    ///
    /// # Errors
    /// The error of `record`.
    pub fn serve<E>(
        &mut self,
        now: Duration,
        most: usize,
        mut record: impl FnMut(&Output) -> Result<(), E>,
    ) -> Result<bool, E> {
        while self.protocol.outgoing().len() < most {
            if let Some(completed) = self.key.next_completed(now) {
                self.protocol.complete(&completed);
            } else if let Some(said) = self.key.speak(now) {
                record(said)?;
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns when to [`serve`](Self::serve) next, if the host sends nothing before; `None` if only the host can
    /// change anything.
    #[must_use]
    pub fn next_output(&self) -> Option<Duration> {
        self.key.next_output()
    }

    /// Returns the bytes that wait to be sent to the host. Remove from the front what has been sent.
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        self.protocol.outgoing()
    }

    /// Returns what was done to the key since the last call.
    pub fn take_events(&mut self) -> Vec<UsbEvent> {
        self.key.take_events()
    }
}
