//! The key as a USB device without a bus: what is done to it, and its transfers.
//!
//! Packets are those of a real bus. The key sends packets of 64 bytes, or a shorter one if it has no more to say. A
//! packet of 64 bytes does not end a read that asks for more; a shorter one does. A read waits while the key has
//! nothing to say, and a write waits while the key has too much to answer.
//!
//! The firmware does not learn that a program opens or closes the key, only whether the host asks for bytes. A reopen
//! is therefore: the host asks again after a pause, or asks the interrupt endpoint again.

use std::collections::VecDeque;
use std::time::Duration;

use ekey_proto::Serial;

use super::descriptors::{BULK_IN, BULK_OUT, CONFIGURATION, INTERRUPT_IN, PACKET};
use super::event::{UsbCounts, UsbEvent};
use super::transfer::{Completed, Failure, Read, Write};
use crate::Revival;
use crate::device::{Device, Output};

/// A key on a bus. The bus numbers its transfers.
pub(super) struct UsbKey {
    device: Device,
    powered: bool,
    address: u8,
    configuration: u8,
    /// The host has replaced a configuration by none.
    deconfigured: bool,
    pub(super) line_coding: [u8; 7],
    halted: Vec<u8>,

    /// The device's last output, and what of it has not been sent.
    said: Output,
    outgoing: VecDeque<u8>,
    reads: VecDeque<Read>,
    writes: VecDeque<Write>,
    interrupts: VecDeque<u64>,
    completed: VecDeque<Completed>,

    /// The host has asked for bytes since the key was plugged in.
    asked: bool,
    /// When the host stopped asking for bytes, if it had asked.
    unasked_since: Option<Duration>,
    /// The key sends nothing before this time.
    quiet_until: Duration,
    interrupt_asked: bool,
    counts: UsbCounts,
    events: Vec<UsbEvent>,
}

/// Most transfers that may wait at one endpoint. Hosts use some tens.
const MOST_WAITING: usize = 256;
/// Most bytes on their way to the key.
const MOST_WRITTEN: usize = 4 * 1024 * 1024;
/// Most bytes of answers that wait before the key takes no more packets.
const MOST_REPLIES: usize = 16 * 1024;
/// A host that asks for no bytes for this long has closed the key.
const CLOSED: Duration = Duration::from_millis(100);
/// Delay between an open and the key's first byte. It spares a host that makes its tty raw at once the echo, also in a
/// guest without KVM on a busy machine. A real key's delay is not known.
const SETTLE: Duration = Duration::from_millis(50);
/// The line coding until the host sets one: 9600 bits/s, 1 stop bit, no parity, 8 bits.
const LINE_CODING: [u8; 7] = [0x80, 0x25, 0, 0, 0, 0, 8];

impl UsbKey {
    /// Makes a key that has never been plugged in.
    pub(super) fn new(device: Device) -> Self {
        Self {
            device,
            powered: false,
            address: 0,
            configuration: 0,
            deconfigured: false,
            line_coding: LINE_CODING,
            halted: Vec::new(),
            said: Output::default(),
            outgoing: VecDeque::new(),
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            interrupts: VecDeque::new(),
            completed: VecDeque::new(),
            asked: false,
            unasked_since: None,
            quiet_until: Duration::ZERO,
            interrupt_asked: false,
            counts: UsbCounts::default(),
            events: Vec::new(),
        }
    }

    pub(super) const fn serial(&self) -> &Serial {
        self.device.serial()
    }

    #[cfg(test)]
    pub(super) const fn counts(&self) -> &UsbCounts {
        &self.counts
    }

    /// Returns what has happened to the key since the last call.
    pub(super) fn take_events(&mut self) -> Vec<UsbEvent> {
        std::mem::take(&mut self.events)
    }

    pub(super) const fn is_powered(&self) -> bool {
        self.powered
    }

    pub(super) const fn configuration(&self) -> u8 {
        self.configuration
    }

    pub(super) const fn is_configured(&self) -> bool {
        self.configuration == CONFIGURATION
    }

    #[cfg(test)]
    pub(super) const fn address(&self) -> u8 {
        self.address
    }

    /// Plugs the key in, unless it is in already.
    pub(super) fn plug(&mut self, now: Duration) {
        if self.powered {
            return;
        }
        self.powered = true;
        if self.counts.plugged_in > 0 {
            self.device.handle_revival(now, Revival::Replug);
        }
        self.counts.plugged_in += 1;
        self.events.push(UsbEvent::PluggedIn(self.counts.plugged_in));
    }

    /// Unplugs the key, unless it is out already. Its transfers get no answer.
    pub(super) fn pull(&mut self) {
        if !self.powered {
            return;
        }
        self.forget_configuration();
        self.completed.clear();
        self.powered = false;
        self.deconfigured = false;
        self.line_coding = LINE_CODING;
        self.asked = false;
        self.unasked_since = None;
        self.interrupt_asked = false;
        self.counts.pulled_out += 1;
        self.events.push(UsbEvent::PulledOut(self.counts.pulled_out));
    }

    /// Resets the key's port: it loses its address, its configuration and what it was about to send.
    pub(super) fn reset(&mut self, now: Duration) {
        self.forget_configuration();
        self.device.handle_revival(now, Revival::UsbReset);
        self.counts.resets += 1;
        self.events.push(UsbEvent::Reset(self.counts.resets));
    }

    /// Sets a configuration; 0: none.
    ///
    /// # Errors
    /// [`Failure::Stall`] if the configuration does not exist.
    pub(super) fn set_configuration(&mut self, now: Duration, value: u8) -> Result<(), Failure> {
        if value != 0 && value != CONFIGURATION {
            return Err(Failure::Stall);
        }
        let had = self.is_configured();
        self.forget_transfers();
        self.configuration = value;
        if value == 0 {
            self.deconfigured |= had;
        } else if std::mem::take(&mut self.deconfigured) {
            self.device.handle_revival(now, Revival::ReEnumeration);
        }
        self.counts.configurations += 1;
        self.events.push(UsbEvent::Configured(value, self.counts.configurations));
        Ok(())
    }

    pub(super) fn set_address(&mut self, address: u16) {
        self.address = u8::try_from(address).unwrap_or(0);
    }

    /// Crashes the firmware, as SET_CONTROL_LINE_STATE does.
    pub(super) fn crash(&mut self) {
        self.device.hang(Revival::Replug);
        self.counts.line_states += 1;
        self.events.push(UsbEvent::LineState(self.counts.line_states));
    }

    pub(super) fn is_halted(&self, endpoint: u8) -> bool {
        self.halted.contains(&endpoint)
    }

    /// Halts an endpoint, or ends its halt.
    pub(super) fn set_halted(&mut self, endpoint: u8, halted: bool) {
        self.halted.retain(|there| *there != endpoint);
        if halted {
            self.halted.push(endpoint);
        }
    }

    /// Starts a read of up to `length` bytes. It [completes](Self::next_completed) when they are there, or with fewer
    /// after a short packet.
    ///
    /// # Errors
    /// [`Failure::Stall`] if the key cannot be read now, [`Failure::TooMuch`] if too many reads wait.
    pub(super) fn read(&mut self, now: Duration, id: u64, length: usize) -> Result<(), Failure> {
        self.check(BULK_IN, self.reads.len())?;
        let closed = self.unasked_since.take().is_some_and(|since| now.saturating_sub(since) >= CLOSED);
        if closed {
            self.device.handle_revival(now, Revival::Reopen);
        }
        if closed || !std::mem::replace(&mut self.asked, true) {
            self.quiet_until = now + SETTLE;
        }
        self.reads.push_back(Read { id, length, data: Vec::new() });
        Ok(())
    }

    /// Starts a write. It completes when the key has taken all bytes.
    ///
    /// # Errors
    /// [`Failure::Stall`] if the key cannot be written now, [`Failure::TooMuch`] if too much waits to be taken.
    pub(super) fn write(&mut self, id: u64, data: Vec<u8>) -> Result<(), Failure> {
        self.check(BULK_OUT, self.writes.len())?;
        let waiting: usize = self.writes.iter().map(|write| write.data.len()).sum();
        if waiting + data.len() > MOST_WRITTEN {
            return Err(Failure::TooMuch);
        }
        self.writes.push_back(Write { id, data, taken: 0 });
        Ok(())
    }

    /// Starts a wait for a notification. The key never sends one, so only a cancel ends the wait.
    ///
    /// # Errors
    /// [`Failure::Stall`] if the key cannot be asked now, [`Failure::TooMuch`] if too many wait.
    pub(super) fn await_notification(&mut self, now: Duration, id: u64) -> Result<(), Failure> {
        self.check(INTERRUPT_IN, self.interrupts.len())?;
        if self.interrupts.is_empty() {
            self.ask_interrupt(now);
        }
        self.interrupts.push_back(id);
        Ok(())
    }

    /// Records that the host starts to ask for notifications.
    pub(super) fn ask_interrupt(&mut self, now: Duration) {
        if std::mem::replace(&mut self.interrupt_asked, true) {
            self.device.handle_revival(now, Revival::Reopen);
        }
    }

    /// Cancels a transfer. Returns `None` if there is none of that number, for example because it has completed.
    pub(super) fn cancel(&mut self, now: Duration, id: u64) -> Option<Completed> {
        if let Some(at) = self.reads.iter().position(|read| read.id == id) {
            let read = self.reads.remove(at)?;
            self.note_unasked(now);
            return Some(read.end(Some(Failure::Cancelled)));
        }
        if let Some(at) = self.writes.iter().position(|write| write.id == id) {
            return Some(self.writes.remove(at)?.end(Some(Failure::Cancelled)));
        }
        let at = self.interrupts.iter().position(|waiting| *waiting == id)?;
        self.interrupts.remove(at);
        Some(Completed::interrupt(id, Failure::Cancelled))
    }

    /// Puts back what a cancelled read had got, for the next read.
    pub(super) fn put_back(&mut self, data: &[u8]) {
        data.iter().rev().for_each(|byte| self.outgoing.push_front(*byte));
    }

    /// Returns the next completed transfer. After each other call, call this until it returns `None`.
    pub(super) fn next_completed(&mut self, now: Duration) -> Option<Completed> {
        if let Some(completed) = self.completed.pop_front() {
            return Some(completed);
        }
        self.take_packets(now).or_else(|| self.send_packets(now))
    }

    /// Lets the key speak, if the host asks for bytes and has all earlier ones. Record what it says before any
    /// transfer completes.
    pub(super) fn speak(&mut self, now: Duration) -> Option<&Output> {
        if !self.is_asked() || !self.outgoing.is_empty() || now < self.quiet_until {
            return None;
        }
        self.said.clear();
        self.device.produce(now, &mut self.said);
        self.outgoing.extend(&self.said.bytes);
        (!self.said.bytes.is_empty() || self.said.long_term_key.is_some()).then_some(&self.said)
    }

    /// Returns when to let the key speak or send, if nothing happens before.
    pub(super) fn next_output(&self) -> Option<Duration> {
        let at = match self.is_asked() {
            false => None,
            true if self.outgoing.is_empty() => self.device.next_output(),
            true => Some(self.quiet_until),
        };
        at.map(|at| at.max(self.quiet_until))
    }

    fn is_asked(&self) -> bool {
        !self.reads.is_empty() && !self.is_halted(BULK_IN)
    }

    /// Takes packets from the first write, until it is done or the key has enough to answer.
    fn take_packets(&mut self, now: Duration) -> Option<Completed> {
        let write = self.writes.front_mut()?;
        if self.halted.contains(&BULK_OUT) {
            return self.writes.pop_front().map(|write| write.end(Some(Failure::Stall)));
        }
        while let Some(packet) = write.data.get(write.taken..).filter(|rest| !rest.is_empty()) {
            if self.device.pending_replies() >= MOST_REPLIES {
                return None;
            }
            let packet = &packet[..packet.len().min(PACKET)];
            self.device.handle_input(now, packet);
            write.taken += packet.len();
        }
        self.writes.pop_front().map(|write| write.end(None))
    }

    /// Sends packets to the first read, until it is done or there are no more.
    fn send_packets(&mut self, now: Duration) -> Option<Completed> {
        let read = self.reads.front_mut()?;
        let failure = loop {
            if self.halted.contains(&BULK_IN) {
                break Some(Failure::Stall);
            }
            if read.data.len() == read.length {
                break None;
            }
            if self.outgoing.is_empty() || now < self.quiet_until {
                return None;
            }
            let packet = self.outgoing.len().min(PACKET);
            let packet = self.outgoing.drain(..packet);
            let (short, fits) = (packet.len() < PACKET, read.data.len() + packet.len() <= read.length);
            if !fits {
                // The host's controller has no room for the end of the packet, which the key has sent.
                read.data.extend(packet.take(read.length - read.data.len()));
                break Some(Failure::Babble);
            }
            read.data.extend(packet);
            if short {
                break None;
            }
        };
        let read = self.reads.pop_front()?;
        self.note_unasked(now);
        Some(read.end(failure))
    }

    fn note_unasked(&mut self, now: Duration) {
        if self.reads.is_empty() {
            self.unasked_since = Some(now);
        }
    }

    fn check(&self, endpoint: u8, waiting: usize) -> Result<(), Failure> {
        if !self.is_configured() || self.is_halted(endpoint) {
            return Err(Failure::Stall);
        }
        if waiting < MOST_WAITING { Ok(()) } else { Err(Failure::TooMuch) }
    }

    fn forget_configuration(&mut self) {
        self.forget_transfers();
        self.address = 0;
        self.configuration = 0;
    }

    /// Ends all transfers and drops the output: the endpoints start again.
    fn forget_transfers(&mut self) {
        let gone = Some(Failure::Cancelled);
        self.completed.extend(self.reads.drain(..).map(|read| read.end(gone)));
        self.completed.extend(self.writes.drain(..).map(|write| write.end(gone)));
        self.completed.extend(self.interrupts.drain(..).map(|id| Completed::interrupt(id, Failure::Cancelled)));
        self.halted.clear();
        self.outgoing.clear();
    }
}
