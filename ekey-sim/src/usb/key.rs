//! The key as a device on a bus, without the bus: what was done to it, and its transfers.
//!
//! Packets are those of a real bus. What the key says goes out in packets of 64 bytes, or fewer if it has no more to say;
//! a packet of 64 bytes does not end a read that asks for more, a shorter one does. While the key has nothing to say,
//! a read waits; while it has too much to answer, a write does.
//!
//! The firmware does not learn that a program opens or closes the key, only whether anybody asks it for bytes. That is
//! what counts as reopening here: asking begins again after a pause, or the interrupt endpoint is asked again.

use std::collections::VecDeque;
use std::time::Duration;

use ekey_proto::Serial;

use super::descriptors::{BULK_IN, BULK_OUT, CONFIGURATION, INTERRUPT_IN, PACKET};
use super::event::{UsbCounts, UsbEvent};
use super::transfer::{Completed, Failure, Read, Write};
use crate::Revival;
use crate::device::{Device, Output};

/// A key on a bus, its transfers numbered by whoever is the bus.
pub(super) struct UsbKey {
    device: Device,
    powered: bool,
    address: u8,
    configuration: u8,
    /// It had a configuration and was told to have none.
    deconfigured: bool,
    pub(super) line_coding: [u8; 7],
    halted: Vec<u8>,

    /// What the device has said last, and what of it is still to be sent.
    said: Output,
    outgoing: VecDeque<u8>,
    reads: VecDeque<Read>,
    writes: VecDeque<Write>,
    interrupts: VecDeque<u64>,
    completed: VecDeque<Completed>,

    /// Somebody has asked for bytes since it was plugged in.
    asked: bool,
    /// Since when nobody has asked for bytes, if anybody has before.
    unasked_since: Option<Duration>,
    /// It answers nobody before this.
    quiet_until: Duration,
    interrupt_asked: bool,
    counts: UsbCounts,
    events: Vec<UsbEvent>,
}

/// Transfers that may wait at one endpoint. Hosts have some tens.
const MOST_WAITING: usize = 256;
/// Bytes that may be under way to the key.
const MOST_WRITTEN: usize = 4 * 1024 * 1024;
/// Bytes of answers that may wait before the key takes no more packets.
const MOST_REPLIES: usize = 16 * 1024;
/// A host that asks for no bytes for so long has closed the key.
const CLOSED: Duration = Duration::from_millis(100);
/// How long a host that has just opened the key waits for its first byte, so that one that makes its tty raw at once is
/// spared the echo, in a guest without KVM on a busy machine too. What a real key does is not known.
const SETTLE: Duration = Duration::from_millis(50);
/// 9600 bits/s, 1 stop bit, no parity, 8 bits: what it says if nobody has set it.
const LINE_CODING: [u8; 7] = [0x80, 0x25, 0, 0, 0, 0, 8];

impl UsbKey {
    /// A key that has never been plugged in.
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

    /// What has happened to it since this was last asked.
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

    /// It is plugged in. Nothing happens if it is already.
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

    /// It is pulled out: all its transfers are gone without an answer. Nothing happens if it is already.
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

    /// Its port is reset: it has no address and no configuration, and what it was about to send is gone.
    pub(super) fn reset(&mut self, now: Duration) {
        self.forget_configuration();
        self.device.handle_revival(now, Revival::UsbReset);
        self.counts.resets += 1;
        self.events.push(UsbEvent::Reset(self.counts.resets));
    }

    /// The host chooses a configuration; 0: none.
    ///
    /// # Errors
    /// [`Failure::Stall`] if there is none of that number.
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

    /// What SET_CONTROL_LINE_STATE does to the firmware.
    pub(super) fn crash(&mut self) {
        self.device.hang(Revival::Replug);
        self.counts.line_states += 1;
        self.events.push(UsbEvent::LineState(self.counts.line_states));
    }

    pub(super) fn is_halted(&self, endpoint: u8) -> bool {
        self.halted.contains(&endpoint)
    }

    /// Halts one of its endpoints, or lets it go on.
    pub(super) fn set_halted(&mut self, endpoint: u8, halted: bool) {
        self.halted.retain(|there| *there != endpoint);
        if halted {
            self.halted.push(endpoint);
        }
    }

    /// The host asks for up to `length` bytes. It is [`completed`](Self::next_completed) once they are there, or fewer
    /// with a short packet at the end.
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

    /// The host sends bytes. It is completed once the key has taken all of them.
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

    /// The host waits for a notification, of which there are none: it is never completed, only cancelled.
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

    /// The host begins to ask for notifications.
    pub(super) fn ask_interrupt(&mut self, now: Duration) {
        if std::mem::replace(&mut self.interrupt_asked, true) {
            self.device.handle_revival(now, Revival::Reopen);
        }
    }

    /// Takes a transfer back. `None` if there is none of that number, as when it has been completed already.
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

    /// Puts back what a read had got that was taken back, so that the next one gets it.
    pub(super) fn put_back(&mut self, data: &[u8]) {
        data.iter().rev().for_each(|byte| self.outgoing.push_front(*byte));
    }

    /// The next transfer that is done; to be asked until there is none, after each of the other calls.
    pub(super) fn next_completed(&mut self, now: Duration) -> Option<Completed> {
        if let Some(completed) = self.completed.pop_front() {
            return Some(completed);
        }
        self.take_packets(now).or_else(|| self.send_packets(now))
    }

    /// Lets the key speak, if somebody asks and it has sent all before. What is given must be recorded before any
    /// transfer is completed.
    pub(super) fn speak(&mut self, now: Duration) -> Option<&Output> {
        if !self.is_asked() || !self.outgoing.is_empty() || now < self.quiet_until {
            return None;
        }
        self.said.clear();
        self.device.produce(now, &mut self.said);
        self.outgoing.extend(&self.said.bytes);
        (!self.said.bytes.is_empty() || self.said.long_term_key.is_some()).then_some(&self.said)
    }

    /// When to let it speak or send next, if nothing else happens.
    pub(super) fn next_output(&self) -> Option<Duration> {
        let due = match self.is_asked() {
            false => None,
            true if self.outgoing.is_empty() => self.device.next_output(),
            true => Some(self.quiet_until),
        };
        due.map(|at| at.max(self.quiet_until))
    }

    fn is_asked(&self) -> bool {
        !self.reads.is_empty() && !self.is_halted(BULK_IN)
    }

    /// Takes packets from the first write, until it is done or the key has enough.
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

    /// Sends packets to the first read, until it is done or there is no more.
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
                // The host's controller has no room for the end of the packet, and the key has sent it.
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

    /// Ends what waits and drops what was to be sent: the endpoints start anew.
    fn forget_transfers(&mut self) {
        let gone = Some(Failure::Cancelled);
        self.completed.extend(self.reads.drain(..).map(|read| read.end(gone)));
        self.completed.extend(self.writes.drain(..).map(|write| write.end(gone)));
        self.completed.extend(self.interrupts.drain(..).map(|id| Completed::interrupt(id, Failure::Cancelled)));
        self.halted.clear();
        self.outgoing.clear();
    }
}
