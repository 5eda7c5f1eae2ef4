//! A key on a bus without sockets and without a clock, for the fuzz targets: what the host's side says, and when.

use std::time::Duration;

use super::key::UsbKey;
use super::protocol::Protocol;
use super::redir::Redir;
use super::vhci::UsbIp;
use crate::{Device, Seed, Setup};

/// A key that is plugged in, and the bus that it is on.
pub struct UsbBench {
    key: UsbKey,
    bus: Box<dyn Protocol>,
    entropy: Vec<u8>,
}

impl UsbBench {
    /// On a bus of QEMU's: the usbredir protocol. A host has just connected.
    #[must_use]
    pub fn usbredir() -> Self {
        Self::on(Box::new(Redir::default()))
    }

    /// On this machine's own: the USB/IP protocol.
    #[must_use]
    pub fn usbip() -> Self {
        Self::on(Box::new(UsbIp::default()))
    }

    /// Plugs the key in or pulls it out.
    pub fn plug(&mut self, now: Duration, plugged: bool) {
        if plugged == self.key.is_powered() {
            return;
        }
        if plugged {
            self.key.plug(now);
        } else {
            self.key.pull();
        }
        self.bus.plugged(plugged);
    }

    /// Takes what the host's side sends.
    ///
    /// # Errors
    /// What it did against the protocol; nothing more can be understood then.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<(), String> {
        self.bus.receive(now, bytes, &mut self.key).map_err(|violation| violation.to_string())
    }

    /// Completes what can be completed until `most` bytes wait for the host, and gives all that wait.
    pub fn serve(&mut self, now: Duration, most: usize) -> Vec<u8> {
        while self.bus.outgoing().len() < most {
            if let Some(completed) = self.key.next_completed(now) {
                self.bus.complete(&completed);
            } else if let Some(said) = self.key.speak(now) {
                self.entropy.extend(&said.blocks);
            } else {
                break;
            }
        }
        drop(self.key.take_events());
        std::mem::take(self.bus.outgoing())
    }

    /// All entropy that the key has said so far.
    #[must_use]
    pub fn entropy(&self) -> &[u8] {
        &self.entropy
    }

    fn on(bus: Box<dyn Protocol>) -> Self {
        let setup = Setup { rate: 0, ..Setup::from_seed(Seed::from_number(7)) };
        let mut bench = Self { key: UsbKey::new(Device::new(setup)), bus, entropy: Vec::new() };
        bench.bus.connected();
        bench.plug(Duration::ZERO, true);
        bench
    }
}
