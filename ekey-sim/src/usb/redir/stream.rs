//! The stream of messages: parses them from bytes in any pieces, and writes them.

use super::capabilities::Capabilities;
use super::kind;
use super::message::{Message, longest};
use crate::usb::protocol::Violation;

/// Both directions of the stream between a key and one host.
#[derive(Debug, Default)]
pub(super) struct Stream {
    incoming: Vec<u8>,
    pub(super) outgoing: Vec<u8>,
    /// What both sides can do, once the host has greeted.
    agreed: Option<Capabilities>,
}

impl Stream {
    /// Returns what both sides can do: nothing before the host has greeted.
    pub(super) fn agreed(&self) -> Capabilities {
        self.agreed.unwrap_or_default()
    }

    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        self.incoming.extend(bytes);
    }

    /// Returns the next complete message and its number.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Message)>, Violation> {
        let Some((kind, length, id, start)) = self.header() else { return Ok(None) };
        if (kind == kind::HELLO) != self.agreed.is_none() {
            return Err(Violation::OutOfOrder { kind });
        }
        if length > longest(kind) {
            return Err(Violation::TooLong { kind, length: length as u64 });
        }
        let end = start + length;
        let Some(body) = self.incoming.get(start..end) else { return Ok(None) };
        let message = Message::parse(kind, body, self.agreed())?;
        self.incoming.drain(..end);
        if let Message::Hello(theirs) = &message {
            self.agreed = Some(Capabilities::OURS.and(*theirs));
        }
        Ok(Some((id, message)))
    }

    /// Appends a message for the host. Its body is the parts, joined.
    pub(super) fn send(&mut self, kind: u32, id: u64, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.outgoing.extend(kind.to_le_bytes());
        self.outgoing.extend((length as u32).to_le_bytes());
        if self.agreed().long_numbers {
            self.outgoing.extend(id.to_le_bytes());
        } else {
            // A host without long numbers has sent a short one.
            self.outgoing.extend((id as u32).to_le_bytes());
        }
        parts.iter().for_each(|part| self.outgoing.extend_from_slice(part));
    }

    /// Returns kind, length and number of the next message, and where its body begins.
    fn header(&self) -> Option<(u32, usize, u64, usize)> {
        let (head, rest) = self.incoming.split_first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *head;
        let (id, start) = if self.agreed().long_numbers {
            (u64::from_le_bytes(*rest.first_chunk()?), 16)
        } else {
            (u64::from(u32::from_le_bytes(*rest.first_chunk()?)), 12)
        };
        Some((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]) as usize, id, start))
    }
}
