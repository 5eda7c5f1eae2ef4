//! Parses the kernel's messages, and writes the answers.
//!
//! Source: the kernel's Documentation/usb/usbip_protocol.rst. Numbers are big-endian. Every message begins with 48
//! bytes.

use crate::usb::protocol::Violation;
use crate::usb::request::Request;

/// A message from the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// A transfer.
    Submit {
        number: u32,
        /// The endpoint's number, without its direction.
        endpoint: u8,
        is_in: bool,
        /// Bytes for the key, or room for bytes from it.
        length: usize,
        /// The request to endpoint 0.
        request: Request,
        data: Vec<u8>,
    },
    /// Cancels the transfer `wanted`.
    Unlink { number: u32, wanted: u32 },
}

const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const RETURN_SUBMIT: u32 = 3;
const RETURN_UNLINK: u32 = 4;
const HEADER: usize = 48;
const IN: u32 = 1;
/// The longest transfer, in bytes; usbfs allows 16 MiB in all.
pub(super) const LONGEST_TRANSFER: usize = 16 * 1024 * 1024;

impl Message {
    /// Takes the first message off `incoming`. Returns `None` if it is not complete.
    pub(super) fn take(incoming: &mut Vec<u8>) -> Result<Option<Self>, Violation> {
        let Some((header, rest)) = incoming.split_first_chunk::<HEADER>() else { return Ok(None) };
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (kind, number) = (word(0), word(4));
        let (message, used) = match kind {
            SUBMIT => {
                let (is_in, length) = (word(12) == IN, word(24));
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= LONGEST_TRANSFER)
                    .ok_or(Violation::TooLong { kind, length: length.into() })?;
                let Some(data) = rest.get(..if is_in { 0 } else { length }) else { return Ok(None) };
                let [.., a, b, c, d, e, f, g, h] = *header;
                let request = Request::from_bytes([a, b, c, d, e, f, g, h]);
                let endpoint = u8::try_from(word(16)).unwrap_or(u8::MAX);
                let used = data.len();
                (Self::Submit { number, endpoint, is_in, length, request, data: data.to_vec() }, used)
            }
            UNLINK => (Self::Unlink { number, wanted: word(20) }, 0),
            _ => return Err(Violation::Unknown { kind }),
        };
        incoming.drain(..HEADER + used);
        Ok(Some(message))
    }
}

/// Appends the end of a transfer: 0 or a negative errno as its status, its length, and the data from the key.
pub(super) fn return_submit(out: &mut Vec<u8>, number: u32, status: i32, length: usize, data: &[u8]) {
    begin(out, RETURN_SUBMIT, number);
    out.extend(status.to_be_bytes());
    out.extend((length as u32).to_be_bytes());
    // Start frame, number of isochronous packets, number of errors, padding.
    out.extend([0; 20]);
    out.extend(data);
}

/// Appends the end of a cancel: a negative errno if the transfer was cancelled, 0 if it had ended before.
pub(super) fn return_unlink(out: &mut Vec<u8>, number: u32, status: i32) {
    begin(out, RETURN_UNLINK, number);
    out.extend(status.to_be_bytes());
    out.extend([0; 24]);
}

/// Appends kind and number. Device, direction and endpoint mean nothing in an answer.
fn begin(out: &mut Vec<u8>, kind: u32, number: u32) {
    out.extend(kind.to_be_bytes());
    out.extend(number.to_be_bytes());
    out.extend([0; 12]);
}
