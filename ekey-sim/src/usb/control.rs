//! Answers to control requests.
//!
//! Sources: USB 2.0, 9.4 (standard requests); PSTN 1.2, 6.3 (line coding and line state).

use std::time::Duration;

use super::descriptors::{self, BULK_IN, BULK_OUT, CONFIGURATION, INTERRUPT_IN};
use super::key::UsbKey;
use super::request::{GET_DESCRIPTOR, Request, u16_le};
use super::transfer::Failure;

// Request types: direction, standard or class, recipient.
const TO_DEVICE: u8 = 0x00;
const TO_INTERFACE: u8 = 0x01;
const TO_ENDPOINT: u8 = 0x02;
const OF_DEVICE: u8 = 0x80;
const OF_INTERFACE: u8 = 0x81;
const OF_ENDPOINT: u8 = 0x82;
const CLASS_TO_INTERFACE: u8 = 0x21;
const CLASS_OF_INTERFACE: u8 = 0xa1;

const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const SET_FEATURE: u8 = 3;
const SET_ADDRESS: u8 = 5;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;

const SET_LINE_CODING: u8 = 0x20;
const GET_LINE_CODING: u8 = 0x21;
const SET_CONTROL_LINE_STATE: u8 = 0x22;

/// The only feature of the key's endpoints.
const ENDPOINT_HALT: u16 = 0;

impl UsbKey {
    /// Answers a control request. `data` is what the host sends with it. The answer has at most the length that the
    /// request allows.
    ///
    /// # Errors
    /// [`Failure::Stall`] for a request that the key does not know, as on a real bus.
    pub(super) fn control(&mut self, now: Duration, request: &Request, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut answer = self.answer(now, request, data)?;
        answer.truncate(usize::from(request.length));
        Ok(answer)
    }

    fn answer(&mut self, now: Duration, request: &Request, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let Request { value, index, .. } = *request;
        let interface = index.to_le_bytes()[0];
        match (request.kind, request.request) {
            (OF_DEVICE, GET_DESCRIPTOR) => descriptors::descriptor(value, self.serial()).ok_or(Failure::Stall),
            (OF_DEVICE, GET_STATUS) => Ok(vec![0, 0]),
            (OF_DEVICE, GET_CONFIGURATION) => Ok(vec![self.configuration()]),
            (TO_DEVICE, SET_ADDRESS) if value < 128 => self.done(|key| key.set_address(value)),
            (TO_DEVICE, SET_CONFIGURATION) => {
                let [value, _] = u16_le(value);
                self.set_configuration(now, value).map(|()| Vec::new())
            }
            (OF_INTERFACE, GET_STATUS) if self.has_interface(interface) => Ok(vec![0, 0]),
            (OF_INTERFACE, GET_INTERFACE) => self.alternate_setting(interface).map(|setting| vec![setting]),
            (TO_INTERFACE, SET_INTERFACE) => {
                let [setting, _] = u16_le(value);
                self.set_alternate_setting(interface, setting).map(|()| Vec::new())
            }
            (OF_ENDPOINT | TO_ENDPOINT, _) => self.endpoint_request(request),
            (CLASS_TO_INTERFACE, SET_LINE_CODING) if interface == 0 && self.is_configured() => {
                let coding = data.try_into().map_err(|_| Failure::Stall)?;
                self.done(|key| key.line_coding = coding)
            }
            (CLASS_OF_INTERFACE, GET_LINE_CODING) if interface == 0 && self.is_configured() => {
                Ok(self.line_coding.to_vec())
            }
            (CLASS_TO_INTERFACE, SET_CONTROL_LINE_STATE) if interface == 0 && self.is_configured() => {
                self.done(Self::crash)
            }
            _ => Err(Failure::Stall),
        }
    }

    fn endpoint_request(&mut self, request: &Request) -> Result<Vec<u8>, Failure> {
        let [endpoint, _] = u16_le(request.index);
        // Endpoint 0 always exists and is never halted: a stall there ends with the next request.
        if matches!(endpoint, 0x00 | 0x80) {
            return match request.request {
                GET_STATUS => Ok(vec![0, 0]),
                CLEAR_FEATURE if request.value == ENDPOINT_HALT => Ok(Vec::new()),
                _ => Err(Failure::Stall),
            };
        }
        if !self.is_configured() || !matches!(endpoint, BULK_IN | BULK_OUT | INTERRUPT_IN) {
            return Err(Failure::Stall);
        }
        match (request.kind, request.request) {
            (OF_ENDPOINT, GET_STATUS) => Ok(vec![u8::from(self.is_halted(endpoint)), 0]),
            (TO_ENDPOINT, CLEAR_FEATURE) if request.value == ENDPOINT_HALT => {
                self.done(|key| key.set_halted(endpoint, false))
            }
            (TO_ENDPOINT, SET_FEATURE) if request.value == ENDPOINT_HALT => {
                self.done(|key| key.set_halted(endpoint, true))
            }
            _ => Err(Failure::Stall),
        }
    }

    /// Returns the current setting of an interface. There is only setting 0.
    ///
    /// # Errors
    /// [`Failure::Stall`] if the interface does not exist, or no configuration is set.
    pub(super) fn alternate_setting(&self, interface: u8) -> Result<u8, Failure> {
        if self.has_interface(interface) { Ok(0) } else { Err(Failure::Stall) }
    }

    /// Sets an interface to a setting.
    ///
    /// # Errors
    /// [`Failure::Stall`] if the setting does not exist.
    pub(super) fn set_alternate_setting(&mut self, interface: u8, setting: u8) -> Result<(), Failure> {
        if setting != 0 || !self.has_interface(interface) {
            return Err(Failure::Stall);
        }
        // The standard requires this: the interface starts again.
        for endpoint in descriptors::ENDPOINTS.iter().filter(|endpoint| endpoint.interface == interface) {
            self.set_halted(endpoint.address, false);
        }
        Ok(())
    }

    fn has_interface(&self, interface: u8) -> bool {
        self.configuration() == CONFIGURATION && descriptors::INTERFACES.iter().any(|there| there.number == interface)
    }

    fn done(&mut self, act: impl FnOnce(&mut Self)) -> Result<Vec<u8>, Failure> {
        act(self);
        Ok(Vec::new())
    }
}
