//! Drives a key on USB in real time, on the calling thread.

use std::time::Instant;

use super::bus::UsbBus;
use super::port::Port;
use super::vhci::Vhci;
use crate::plug::{Host, Wish};
use crate::{Device, Records, SimError, StopHandle, UnixSocket};

/// Runs `device` as a USB key for QEMU's `usb-redir` device, which connects to `socket`, until `stop` is stopped.
///
/// A host that connects plugs the key in, and one that leaves unplugs it. [`StopHandle::toggle`] unplugs it and plugs
/// it in while the host stays. Each thing that the host does to the key is logged as one line on stderr.
///
/// # Errors
/// [`SimError`] if the socket or one of the key's files fails. A host that leaves or breaks the protocol is not an
/// error.
pub fn run_usbredir(
    device: Device,
    socket: &mut UnixSocket,
    records: &mut Records,
    stop: &StopHandle,
) -> Result<(), SimError> {
    Run { bus: UsbBus::usbredir(device), port: socket, inserted: true }.run(records, stop)
}

/// Runs `device` as a USB key of this machine, until `stop` is stopped; then detaches it.
///
/// [`StopHandle::toggle`] unplugs it and plugs it in. Each thing that the host does to the key is logged as one line on
/// stderr.
///
/// # Errors
/// [`SimError`] if the kernel does not take the key back after it was unplugged, or one of the key's files fails.
pub fn run_vhci(device: Device, vhci: &mut Vhci, records: &mut Records, stop: &StopHandle) -> Result<(), SimError> {
    Run { bus: UsbBus::usbip(device), port: vhci, inserted: true }.run(records, stop)
}

struct Run<'a, P> {
    bus: UsbBus,
    port: &'a mut P,
    /// The user has left the key in.
    inserted: bool,
}

/// Most bytes that wait for the host before the key makes or hears more.
const MOST_OUTGOING: usize = 256 * 1024;
/// Most bytes in one read.
const MOST_READ: usize = 64 * 1024;

impl<P: Port> Run<'_, P> {
    fn run(mut self, records: &mut Records, stop: &StopHandle) -> Result<(), SimError> {
        let start = Instant::now();
        let mut buf = vec![0; MOST_READ];
        let mut connected = false;
        loop {
            for event in self.bus.take_events() {
                eprintln!("ekey-sim: usb: {event}");
            }
            let waiting = self.bus.outgoing().len();
            let full = waiting >= MOST_OUTGOING;
            let next = if full || !connected { None } else { self.bus.next_output() };
            let wish = Wish { input: !full, room: waiting > 0, until: next.map(|at| start + at) };
            let news = self.port.wait(&wish, stop)?;
            if stop.is_stopped() {
                return Ok(());
            }
            match news.host {
                Host::Present => {}
                Host::Absent => self.bus.set_plugged(start.elapsed(), false),
                Host::Arrived | Host::Reopened => {
                    self.bus.set_plugged(start.elapsed(), false);
                    self.bus.connect();
                }
            }
            connected = news.host != Host::Absent;
            if stop.take_toggles() % 2 == 1 {
                self.inserted = !self.inserted;
                self.port.insert(self.inserted)?;
                self.bus.set_plugged(start.elapsed(), connected && self.inserted);
                continue;
            }
            if !connected {
                self.inserted &= P::HOSTS_COME_BACK;
                continue;
            }
            self.bus.set_plugged(start.elapsed(), self.inserted);
            if news.input
                && let Some(len) = self.port.read(&mut buf)?
            {
                self.receive(start, &buf[..len]);
            }
            self.serve(start, records)?;
        }
    }

    fn receive(&mut self, start: Instant, bytes: &[u8]) {
        if let Err(violation) = self.bus.receive(start.elapsed(), bytes) {
            eprintln!("ekey-sim: the host sent {violation}; disconnected, it may connect again");
            self.port.hang_up();
            self.bus.outgoing().clear();
        }
    }

    /// Completes all transfers that can complete, as far as the host takes the results.
    fn serve(&mut self, start: Instant, records: &mut Records) -> Result<(), SimError> {
        loop {
            let more = self.bus.serve(start.elapsed(), MOST_OUTGOING, |said| records.keep(said))?;
            let sent = self.port.write(self.bus.outgoing())?;
            self.bus.outgoing().drain(..sent);
            if !more || self.bus.outgoing().len() >= MOST_OUTGOING {
                return Ok(());
            }
        }
    }
}
