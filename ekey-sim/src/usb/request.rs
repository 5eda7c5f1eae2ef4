//! What begins a control transfer: eight bytes that say what is wanted (USB 2.0, 9.3).

/// A control request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// Direction, kind and recipient: bmRequestType.
    pub(super) kind: u8,
    /// What is wanted: bRequest.
    pub(super) request: u8,
    pub(super) value: u16,
    pub(super) index: u16,
    /// Bytes of data that follow, or that may be answered.
    pub(super) length: u16,
}

impl Request {
    /// As it stands on the wire.
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

    /// Whether the data comes from the key.
    pub(super) const fn is_in(&self) -> bool {
        self.kind & IN != 0
    }

    /// Whether this is how a host begins with a device that has just been reset: it asks for more of the device's
    /// descriptor than there is, because it does not know how large packets may be. Linux does so then and only then.
    pub(super) fn begins_enumeration(&self) -> bool {
        (self.kind, self.request, self.value, self.length) == (IN, GET_DESCRIPTOR, DEVICE_DESCRIPTOR, FIRST_LENGTH)
    }
}

/// The bit of a request's kind, and of an endpoint's address, for the way from the key to the host.
pub(super) const IN: u8 = 0x80;
pub(super) const GET_DESCRIPTOR: u8 = 6;
const DEVICE_DESCRIPTOR: u16 = 0x0100;
const FIRST_LENGTH: u16 = 64;

pub(super) const fn u16_le(value: u16) -> [u8; 2] {
    value.to_le_bytes()
}
