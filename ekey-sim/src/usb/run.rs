//! Drives a key on USB in real time, on the calling thread.

use std::time::{Duration, Instant};

use super::key::UsbKey;
use super::port::Port;
use super::protocol::Protocol;
use super::redir::Redir;
use super::vhci::{UsbIp, Vhci};
use crate::plug::{Host, Wish};
use crate::{Device, Records, SimError, StopHandle, UnixSocket};

/// Runs `device` as a USB key for QEMU's `usb-redir` device, whose socket is `socket`, until `stop` is stopped.
///
/// Each time that somebody connects, the key is plugged in; when they leave, it is pulled out, and its power is gone.
/// [`StopHandle::toggle`] pulls it out and plugs it in while they stay. What happens to the key on its bus goes to
/// stderr, a line each.
///
/// # Errors
/// [`SimError`] if the socket or one of the key's files fails. A host that leaves, or talks nonsense, is no error.
pub fn run_usbredir(
    device: Device,
    socket: &mut UnixSocket,
    records: &mut Records,
    stop: &StopHandle,
) -> Result<(), SimError> {
    Bus { key: UsbKey::new(device), protocol: Redir::default(), port: socket, inserted: true }.run(records, stop)
}

/// Runs `device` as a USB key of this machine, until `stop` is stopped; then it is taken off.
///
/// [`StopHandle::toggle`] pulls it out and plugs it in. What happens to the key on its bus goes to stderr, a line each.
///
/// # Errors
/// [`SimError`] if the kernel does not take it back after it was pulled out, or one of the key's files fails.
pub fn run_vhci(device: Device, vhci: &mut Vhci, records: &mut Records, stop: &StopHandle) -> Result<(), SimError> {
    Bus { key: UsbKey::new(device), protocol: UsbIp::default(), port: vhci, inserted: true }.run(records, stop)
}

struct Bus<'a, P, B> {
    key: UsbKey,
    protocol: B,
    port: &'a mut P,
    /// Somebody's hand has left it in.
    inserted: bool,
}

/// Bytes that may wait to be taken by the host's side before no more is made or heard.
const MOST_OUTGOING: usize = 256 * 1024;
/// Bytes that are heard in one go.
const HEARD: usize = 64 * 1024;

impl<P: Port, B: Protocol> Bus<'_, P, B> {
    fn run(mut self, records: &mut Records, stop: &StopHandle) -> Result<(), SimError> {
        let start = Instant::now();
        let mut buf = vec![0; HEARD];
        let mut connected = false;
        loop {
            self.tell();
            let full = self.is_full();
            let next = if full || !connected { None } else { self.key.next_output() };
            let room = !self.protocol.outgoing().is_empty();
            let wish = Wish { input: !full, room, until: next.map(|at| start + at) };
            let news = self.port.wait(&wish, stop)?;
            if stop.is_stopped() {
                return Ok(());
            }
            match news.host {
                Host::Present => {}
                Host::Absent => self.supply(start.elapsed(), false),
                Host::Arrived | Host::Reopened => {
                    self.supply(start.elapsed(), false);
                    self.protocol.connected();
                }
            }
            connected = news.host != Host::Absent;
            if stop.take_toggles() % 2 == 1 {
                self.inserted = !self.inserted;
                self.port.insert(self.inserted)?;
                self.supply(start.elapsed(), connected && self.inserted);
                continue;
            }
            if !connected {
                self.inserted &= P::HOSTS_COME_BACK;
                continue;
            }
            self.supply(start.elapsed(), self.inserted);
            if news.input
                && let Some(len) = self.port.read(&mut buf)?
            {
                self.hear(start.elapsed(), &buf[..len]);
            }
            self.serve(start, records)?;
        }
    }

    /// Gives the key power or takes it away.
    fn supply(&mut self, now: Duration, power: bool) {
        if power == self.key.is_powered() {
            return;
        }
        if power {
            self.key.plug(now);
        } else {
            self.key.pull();
        }
        self.protocol.plugged(power);
    }

    fn hear(&mut self, now: Duration, bytes: &[u8]) {
        if let Err(violation) = self.protocol.receive(now, bytes, &mut self.key) {
            eprintln!("ekey-sim: the host's side of the bus sent {violation}; hung up, it may connect again");
            self.port.hang_up();
            self.protocol.outgoing().clear();
        }
    }

    /// Completes all transfers that can be completed, as far as the host's side takes the results.
    fn serve(&mut self, start: Instant, records: &mut Records) -> Result<(), SimError> {
        loop {
            let more = self.complete(start, records)?;
            let taken = self.port.write(self.protocol.outgoing())?;
            self.protocol.outgoing().drain(..taken);
            if !more || self.is_full() {
                return Ok(());
            }
        }
    }

    /// Whether there may be more to complete.
    fn complete(&mut self, start: Instant, records: &mut Records) -> Result<bool, SimError> {
        while !self.is_full() {
            if let Some(completed) = self.key.next_completed(start.elapsed()) {
                self.protocol.complete(&completed);
            } else if let Some(said) = self.key.speak(start.elapsed()) {
                records.keep(said)?;
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_full(&mut self) -> bool {
        self.protocol.outgoing().len() >= MOST_OUTGOING
    }

    fn tell(&mut self) {
        for event in self.key.take_events() {
            eprintln!("ekey-sim: usb: {event}");
        }
    }
}
