//! The usbredir protocol, by which QEMU uses remote USB devices: `-device usb-redir`.
//!
//! Source: usb-redirection-protocol.md of usbredir, version 0.7. The document calls the key the usb-host and QEMU the
//! usb-guest.

mod capabilities;
mod info;
mod kind;
mod message;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::capabilities::Capabilities;
use self::message::{BulkHeader, LONGEST_TRANSFER, Message, VERSION_LEN};
use self::stream::Stream;
use super::descriptors::{BULK_IN, BULK_OUT, INTERRUPT_IN};
use super::key::UsbKey;
use super::protocol::{Protocol, Violation};
use super::request::{IN, Request};
use super::transfer::{Completed, Failure};

/// One connection with QEMU.
#[derive(Debug, Default)]
pub(super) struct Redir {
    stream: Stream,
    plugged: bool,
    greeted: bool,
    /// The host knows that the key is plugged in.
    announced: bool,
    /// The bulk transfers that the key has. Their headers go into the answers.
    bulk: Vec<(u64, BulkHeader)>,
}

/// The values of an answer's status.
const SUCCESS: u8 = 0;
const CANCELLED: u8 = 1;
const INVALID: u8 = 2;
const STALL: u8 = 4;
const BABBLE: u8 = 6;

impl Protocol for Redir {
    fn connected(&mut self) {
        *self = Self { plugged: self.plugged, ..Self::default() };
        let mut version = [0; VERSION_LEN];
        let name = concat!("ekey-sim ", env!("CARGO_PKG_VERSION")).as_bytes();
        version[..name.len()].copy_from_slice(name);
        self.stream.send(kind::HELLO, 0, &[&version, &Capabilities::OURS.to_word()]);
    }

    fn plugged(&mut self, plugged: bool) {
        self.plugged = plugged;
        if std::mem::take(&mut self.announced) {
            self.bulk.clear();
            self.stream.send(kind::DEVICE_DISCONNECT, 0, &[]);
        } else if plugged && self.greeted {
            self.announce();
        }
    }

    fn receive(&mut self, now: Duration, bytes: &[u8], key: &mut UsbKey) -> Result<(), Violation> {
        self.stream.take_in(bytes);
        while let Some((id, message)) = self.stream.next()? {
            if message.is_greeting() {
                self.greeted = true;
                if self.plugged {
                    self.announce();
                }
            } else if self.announced {
                self.handle(now, id, message, key);
            }
            // Drop all else: the host sent it before it knew that the key was unplugged.
        }
        Ok(())
    }

    fn complete(&mut self, completed: &Completed) {
        let Some(at) = self.bulk.iter().position(|(id, _)| *id == completed.id) else { return };
        let (id, header) = self.bulk.swap_remove(at);
        self.answer_bulk(id, header, status(completed.failure), completed.length, &completed.data);
    }

    fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.stream.outgoing
    }
}

impl Redir {
    /// Announces the key, after its interfaces and endpoints.
    fn announce(&mut self) {
        self.announced = true;
        self.describe(true);
        let device = info::device(self.stream.agreed());
        self.stream.send(kind::DEVICE_CONNECT, 0, &[&device]);
    }

    /// Describes the interfaces and endpoints, with a configuration or without.
    fn describe(&mut self, configured: bool) {
        let endpoints = info::endpoints(configured, self.stream.agreed());
        self.stream.send(kind::INTERFACE_INFO, 0, &[&info::interfaces(configured)]);
        self.stream.send(kind::EP_INFO, 0, &[&endpoints]);
    }

    fn handle(&mut self, now: Duration, id: u64, message: Message, key: &mut UsbKey) {
        match message {
            Message::Hello(_) | Message::Note => {}
            Message::Reject => self.announced = false,
            Message::Reset => key.reset(now),
            Message::SetConfiguration(value) => {
                let outcome = key.set_configuration(now, value);
                if outcome.is_ok() {
                    self.describe(value != 0);
                }
                self.configuration_status(id, outcome, key);
            }
            Message::GetConfiguration => self.configuration_status(id, Ok(()), key),
            Message::SetAlternateSetting { interface, setting } => {
                let outcome = key.set_alternate_setting(interface, setting);
                if outcome.is_ok() {
                    self.describe(true);
                }
                self.setting_status(id, interface, outcome.map(|()| setting));
            }
            Message::GetAlternateSetting { interface } => {
                self.setting_status(id, interface, key.alternate_setting(interface));
            }
            Message::StartInterrupts { endpoint } => {
                let can = endpoint == INTERRUPT_IN && key.is_configured();
                if can {
                    key.ask_interrupt(now);
                }
                let status = if can { SUCCESS } else { INVALID };
                self.stream.send(kind::INTERRUPT_RECEIVING_STATUS, id, &[&[status, endpoint]]);
            }
            Message::StopInterrupts { endpoint } => {
                self.stream.send(kind::INTERRUPT_RECEIVING_STATUS, id, &[&[SUCCESS, endpoint]]);
            }
            Message::IsoStream { endpoint } => {
                self.stream.send(kind::ISO_STREAM_STATUS, id, &[&[INVALID, endpoint]]);
            }
            Message::Cancel => self.cancel(now, id, key),
            Message::Control { endpoint, request, data } => {
                let outcome = if endpoint == request.kind & IN {
                    key.control(now, &request, &data).map_err(|failure| status(Some(failure)))
                } else {
                    Err(INVALID)
                };
                self.answer_control(id, &request, outcome);
            }
            Message::Bulk { header, data } => self.begin_bulk(now, id, header, data, key),
            Message::Interrupt { endpoint, length } => {
                let [low, high] = length.to_le_bytes();
                self.stream.send(kind::INTERRUPT_PACKET, id, &[&[endpoint, INVALID, low, high]]);
            }
        }
    }

    fn configuration_status(&mut self, id: u64, outcome: Result<(), Failure>, key: &UsbKey) {
        let body = [status(outcome.err()), key.configuration()];
        self.stream.send(kind::CONFIGURATION_STATUS, id, &[&body]);
    }

    fn setting_status(&mut self, id: u64, interface: u8, outcome: Result<u8, Failure>) {
        let body = [status(outcome.err()), interface, outcome.unwrap_or(0)];
        self.stream.send(kind::ALT_SETTING_STATUS, id, &[&body]);
    }

    fn answer_control(&mut self, id: u64, request: &Request, outcome: Result<Vec<u8>, u8>) {
        let status = outcome.as_ref().err().copied().unwrap_or(SUCCESS);
        let length = match &outcome {
            Ok(data) if request.is_in() => data.len() as u16,
            Ok(_) => request.length,
            Err(_) => 0,
        };
        let words = [request.value, request.index, length].map(u16::to_le_bytes);
        let head = [request.kind & IN, request.request, request.kind, status];
        self.stream.send(kind::CONTROL_PACKET, id, &[&head, words.as_flattened(), &outcome.unwrap_or_default()]);
    }

    fn begin_bulk(&mut self, now: Duration, id: u64, header: BulkHeader, data: Vec<u8>, key: &mut UsbKey) {
        let length = header.length as usize;
        let begun = match header.endpoint {
            _ if length > LONGEST_TRANSFER => Err(Failure::TooMuch),
            BULK_IN => key.read(now, id, length),
            BULK_OUT => key.write(id, data),
            _ => Err(Failure::Stall),
        };
        match begun {
            Ok(()) => self.bulk.push((id, header)),
            Err(failure) => self.answer_bulk(id, header, status(Some(failure)), 0, &[]),
        }
    }

    fn cancel(&mut self, now: Duration, id: u64, key: &mut UsbKey) {
        // Without such a transfer, its answer is already on the way.
        let Some(cancelled) = key.cancel(now, id) else { return };
        // QEMU ignores the data of a cancelled read, but a real bus would have delivered it.
        key.put_back(&cancelled.data);
        let length = if cancelled.endpoint == BULK_IN { 0 } else { cancelled.length };
        self.complete(&Completed { data: Vec::new(), length, ..cancelled });
    }

    fn answer_bulk(&mut self, id: u64, header: BulkHeader, status: u8, length: usize, data: &[u8]) {
        // The host asked for at least this length, so it fits.
        let [a, b, c, d] = (length as u32).to_le_bytes();
        let head = [header.endpoint, status, a, b];
        let upper = [c, d];
        let upper = if self.stream.agreed().long_bulk { &upper[..] } else { &[] };
        self.stream.send(kind::BULK_PACKET, id, &[&head, &header.stream.to_le_bytes(), upper, data]);
    }
}

const fn status(failure: Option<Failure>) -> u8 {
    match failure {
        None => SUCCESS,
        Some(Failure::Cancelled) => CANCELLED,
        Some(Failure::TooMuch) => INVALID,
        Some(Failure::Stall) => STALL,
        Some(Failure::Babble) => BABBLE,
    }
}
