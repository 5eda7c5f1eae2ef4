//! The setup packet of a control transfer: eight bytes that hold the request (USB 2.0, 9.3).

/// A control request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// bmRequestType: direction, type and recipient.
    pub(super) kind: u8,
    /// bRequest.
    pub(super) request: u8,
    pub(super) value: u16,
    pub(super) index: u16,
    /// Bytes of data that follow, or the longest answer.
    pub(super) length: u16,
}

impl Request {
    /// Parses the bytes on the wire.
    pub(super) const fn from_bytes(bytes: [u8; 8]) -> Self {
        let [kind, request, value_low, value_high, index_low, index_high, length_low, length_high] = bytes;
        Self {
            kind,
            request,
            value: u16::from_le_bytes([value_low, value_high]),
            index: u16::from_le_bytes([index_low, index_high]),
            length: u16::from_le_bytes([length_low, length_high]),
        }
    }

    /// Returns whether the data comes from the key.
    pub(super) const fn is_in(&self) -> bool {
        self.kind & IN != 0
    }

    /// Returns whether this is the first request to a device that has just been reset. A host then asks for more of the
    /// device descriptor than exists, because it does not know the packet size yet. Linux does so only then.
    pub(super) fn begins_enumeration(&self) -> bool {
        (self.kind, self.request, self.value, self.length) == (IN, GET_DESCRIPTOR, DEVICE_DESCRIPTOR, FIRST_LENGTH)
    }
}

/// The bit of a request's type, and of an endpoint's address, for data from the key to the host.
pub(super) const IN: u8 = 0x80;
pub(super) const GET_DESCRIPTOR: u8 = 6;
const DEVICE_DESCRIPTOR: u16 = 0x0100;
const FIRST_LENGTH: u16 = 64;

pub(super) const fn u16_le(value: u16) -> [u8; 2] {
    value.to_le_bytes()
}
