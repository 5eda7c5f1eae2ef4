//! Parses QEMU's messages and trusts none of them.
//!
//! Source: usb-redirection-protocol.md of usbredir, version 0.7. Numbers are little-endian.

use super::capabilities::Capabilities;
use super::kind;
use crate::usb::protocol::Violation;
use crate::usb::request::{IN, Request};

/// A message from the host's side of the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// What the host can do.
    Hello(Capabilities),
    Reset,
    SetConfiguration(u8),
    GetConfiguration,
    SetAlternateSetting {
        interface: u8,
        setting: u8,
    },
    GetAlternateSetting {
        interface: u8,
    },
    StartInterrupts {
        endpoint: u8,
    },
    StopInterrupts {
        endpoint: u8,
    },
    /// Cancels the transfer that has the message's number.
    Cancel,
    /// The host does not want the key.
    Reject,
    /// Needs no action.
    Note,
    /// Starts or stops isochronous transfers at an endpoint.
    IsoStream {
        endpoint: u8,
    },
    Control {
        endpoint: u8,
        request: Request,
        data: Vec<u8>,
    },
    Bulk {
        header: BulkHeader,
        data: Vec<u8>,
    },
    Interrupt {
        endpoint: u8,
        length: u16,
    },
}

/// The header before the data of a bulk transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BulkHeader {
    pub(super) endpoint: u8,
    pub(super) length: u32,
    pub(super) stream: u32,
}

/// The longest bulk transfer, in bytes. Linux uses 16 KiB, and QEMU joins some of them.
pub(super) const LONGEST_TRANSFER: usize = 1024 * 1024;
const LONGEST_HELLO: usize = VERSION_LEN + 4 * 16;
const LONGEST_FILTER: usize = 4096;
const LONGEST_CONTROL: usize = CONTROL_HEADER + u16::MAX as usize;
/// Length of a greeting's first field, the name of the program.
pub(super) const VERSION_LEN: usize = 64;
const CONTROL_HEADER: usize = 10;

/// Returns the longest body that a message of this kind can have, in bytes.
pub(super) const fn longest(kind: u32) -> usize {
    match kind {
        kind::HELLO => LONGEST_HELLO,
        kind::FILTER_FILTER => LONGEST_FILTER,
        kind::CONTROL_PACKET => LONGEST_CONTROL,
        kind::BULK_PACKET | kind::ISO_PACKET | kind::INTERRUPT_PACKET => LONGEST_TRANSFER + 16,
        _ => 16,
    }
}

impl Message {
    pub(super) const fn is_greeting(&self) -> bool {
        matches!(self, Self::Hello(_))
    }

    /// Parses the body of a message. `agreed` is what both sides can do.
    pub(super) fn parse(kind: u32, body: &[u8], agreed: Capabilities) -> Result<Self, Violation> {
        let wrong = || Violation::WrongLength { kind, length: body.len() };
        let exactly = |length: usize| if body.len() == length { Ok(()) } else { Err(wrong()) };
        let byte = |at: usize| body.get(at).copied().ok_or_else(wrong);
        let message = match kind {
            kind::HELLO => {
                let (words, rest) = body.get(VERSION_LEN..).ok_or_else(wrong)?.as_chunks();
                if !rest.is_empty() {
                    return Err(wrong());
                }
                return Ok(Self::Hello(Capabilities::from_words(words)));
            }
            kind::RESET => (0, Self::Reset),
            kind::SET_CONFIGURATION => (1, Self::SetConfiguration(byte(0)?)),
            kind::GET_CONFIGURATION => (0, Self::GetConfiguration),
            kind::SET_ALT_SETTING => (2, Self::SetAlternateSetting { interface: byte(0)?, setting: byte(1)? }),
            kind::GET_ALT_SETTING => (1, Self::GetAlternateSetting { interface: byte(0)? }),
            kind::START_INTERRUPT_RECEIVING => (1, Self::StartInterrupts { endpoint: byte(0)? }),
            kind::STOP_INTERRUPT_RECEIVING => (1, Self::StopInterrupts { endpoint: byte(0)? }),
            kind::START_ISO_STREAM => (3, Self::IsoStream { endpoint: byte(0)? }),
            kind::STOP_ISO_STREAM => (1, Self::IsoStream { endpoint: byte(0)? }),
            kind::CANCEL_DATA_PACKET => (0, Self::Cancel),
            kind::FILTER_REJECT => (0, Self::Reject),
            kind::DEVICE_DISCONNECT_ACK => (0, Self::Note),
            kind::FILTER_FILTER | kind::ISO_PACKET => return Ok(Self::Note),
            kind::CONTROL_PACKET => return parse_control(body).ok_or_else(wrong),
            kind::BULK_PACKET => return parse_bulk(body, agreed).ok_or_else(wrong),
            kind::INTERRUPT_PACKET => {
                let header = body.first_chunk::<4>().ok_or_else(wrong)?;
                let length = u16::from_le_bytes([header[2], header[3]]);
                return Ok(Self::Interrupt { endpoint: header[0], length });
            }
            _ => return Err(Violation::Unknown { kind }),
        };
        exactly(message.0).map(|()| message.1)
    }
}

/// Parses endpoint, request, its type, an unused status, value, index, length; then the data if it goes to the key.
fn parse_control(body: &[u8]) -> Option<Message> {
    let (header, data) = body.split_first_chunk::<CONTROL_HEADER>()?;
    let [endpoint, request, kind, _, rest @ ..] = *header;
    let [a, b, c, d, e, f] = rest;
    let request = Request::from_bytes([kind, request, a, b, c, d, e, f]);
    let expected = if request.is_in() { 0 } else { usize::from(request.length) };
    (data.len() == expected).then(|| Message::Control { endpoint, request, data: data.to_vec() })
}

/// Parses endpoint, an unused status, length, stream, the upper half of the length if lengths are long; then the data
/// if it goes to the key.
fn parse_bulk(body: &[u8], agreed: Capabilities) -> Option<Message> {
    let (header, mut data) = body.split_first_chunk::<8>()?;
    let [endpoint, _, low, high, stream @ ..] = *header;
    let mut length = u32::from(u16::from_le_bytes([low, high]));
    if agreed.long_bulk {
        let (upper, rest) = data.split_first_chunk()?;
        length |= u32::from(u16::from_le_bytes(*upper)) << 16;
        data = rest;
    }
    let expected = if endpoint & IN == 0 { length as usize } else { 0 };
    let header = BulkHeader { endpoint, length, stream: u32::from_le_bytes(stream) };
    (data.len() == expected).then(|| Message::Bulk { header, data: data.to_vec() })
}
