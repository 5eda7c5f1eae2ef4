//! A USB key for this machine's own kernel, through its virtual host controller `vhci_hcd`, and the USB/IP protocol
//! that the kernel speaks with it.
//!
//! The controller does not pass on resets. The key sees only that the host starts to identify it again, and takes that
//! for the reset.

mod controller;
mod message;
mod port;
#[cfg(test)]
mod tests;

use std::time::Duration;

use nix::errno::Errno;

use self::message::{Message, return_submit, return_unlink};
pub use self::port::Vhci;
use super::descriptors::{BULK_IN, BULK_OUT, INTERRUPT_IN};
use super::key::UsbKey;
use super::protocol::{Protocol, Violation};
use super::request::{IN, Request};
use super::transfer::{Completed, Failure};

/// One connection with the kernel.
#[derive(Debug, Default)]
pub(super) struct UsbIp {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Protocol for UsbIp {
    fn connected(&mut self) {
        *self = Self::default();
    }

    /// The port tells the kernel.
    fn plugged(&mut self, _: bool) {}

    fn receive(&mut self, now: Duration, bytes: &[u8], key: &mut UsbKey) -> Result<(), Violation> {
        self.incoming.extend(bytes);
        while let Some(message) = Message::take(&mut self.incoming)? {
            match message {
                Message::Submit { number, endpoint: 0, length, request, data, .. } => {
                    self.control(now, number, &request, length, &data, key);
                }
                Message::Submit { number, endpoint, is_in, length, data, .. } => {
                    let begun = match endpoint | if is_in { IN } else { 0 } {
                        BULK_IN => key.read(now, number.into(), length),
                        BULK_OUT => key.write(number.into(), data),
                        INTERRUPT_IN => key.await_notification(now, number.into()),
                        _ => Err(Failure::Stall),
                    };
                    if let Err(failure) = begun {
                        return_submit(&mut self.outgoing, number, status(Some(failure)), 0, &[]);
                    }
                }
                Message::Unlink { number, wanted } => self.unlink(now, number, wanted, key),
            }
        }
        Ok(())
    }

    fn complete(&mut self, completed: &Completed) {
        // The kernel gave the number, so it has 32 bits.
        let number = completed.id as u32;
        return_submit(&mut self.outgoing, number, status(completed.failure), completed.length, &completed.data);
    }

    fn outgoing(&mut self) -> &mut Vec<u8> {
        &mut self.outgoing
    }
}

impl UsbIp {
    fn control(&mut self, now: Duration, number: u32, request: &Request, room: usize, data: &[u8], key: &mut UsbKey) {
        if request.begins_enumeration() && key.configuration() != 0 {
            key.reset(now);
        }
        let outcome = key.control(now, request, data);
        let failure = outcome.as_ref().err().copied();
        let mut answer = outcome.unwrap_or_default();
        answer.truncate(room);
        let length = match failure {
            None if request.is_in() => answer.len(),
            None => data.len(),
            Some(_) => 0,
        };
        return_submit(&mut self.outgoing, number, status(failure), length, &answer);
    }

    fn unlink(&mut self, now: Duration, number: u32, wanted: u32, key: &mut UsbKey) {
        let taken_back = match key.cancel(now, wanted.into()) {
            // The host gets the bytes that had come by then, as from a real controller.
            Some(cancelled) if !cancelled.data.is_empty() => {
                self.complete(&Completed { failure: None, ..cancelled });
                false
            }
            Some(_) => true,
            None => false,
        };
        let status = if taken_back { status(Some(Failure::Cancelled)) } else { 0 };
        return_unlink(&mut self.outgoing, number, status);
    }
}

/// Returns a transfer's status in the kernel (Documentation/driver-api/usb/error-codes.rst).
const fn status(failure: Option<Failure>) -> i32 {
    match failure {
        None => 0,
        Some(Failure::Stall) => -(Errno::EPIPE as i32),
        Some(Failure::Cancelled) => -(Errno::ECONNRESET as i32),
        Some(Failure::Babble) => -(Errno::EOVERFLOW as i32),
        Some(Failure::TooMuch) => -(Errno::ENOMEM as i32),
    }
}
