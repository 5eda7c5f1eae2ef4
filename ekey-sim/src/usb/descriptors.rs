//! The key's descriptors: a full-speed CDC modem with one configuration and two interfaces.
//!
//! Identity, texts and data endpoints are those of the real key (firmware-notes/usb.md). Undocumented parts, such as
//! its current and its functional descriptors, are what CDC 1.2 requires of such a device.

use ekey_proto::Serial;

use super::request::u16_le;

/// Simtec Electronics.
pub(super) const VENDOR: u16 = 0x20df;
/// The Entropy Key.
pub(super) const PRODUCT: u16 = 0x0001;
/// Version 1.0, as binary-coded decimals.
pub(super) const VERSION: u16 = 0x0100;
/// The largest packet of every endpoint that carries data, in bytes.
pub(super) const PACKET: usize = 64;
/// The number of the only configuration.
pub(super) const CONFIGURATION: u8 = 1;
/// The endpoint for notifications. The key never sends one.
pub(super) const INTERRUPT_IN: u8 = 0x82;
/// The endpoint for bytes from the key.
pub(super) const BULK_IN: u8 = 0x81;
/// The endpoint for bytes to the key.
pub(super) const BULK_OUT: u8 = 0x03;
/// Interval at which the host asks the interrupt endpoint, in ms.
pub(super) const INTERRUPT_INTERVAL: u8 = 16;
/// The largest packet of the interrupt endpoint: the longest CDC notification.
pub(super) const INTERRUPT_PACKET: usize = 16;
/// The class of the device and of its managing interface.
pub(super) const CLASS_CDC: u8 = 0x02;

/// One of the key's interfaces.
pub(super) struct Interface {
    pub(super) number: u8,
    pub(super) class: u8,
    pub(super) subclass: u8,
    pub(super) protocol: u8,
}

/// The abstract control model with AT commands, which Linux and others drive as a serial port, and its data interface.
pub(super) const INTERFACES: [Interface; 2] = [
    Interface { number: 0, class: CLASS_CDC, subclass: 0x02, protocol: 0x01 },
    Interface { number: 1, class: 0x0a, subclass: 0x00, protocol: 0x00 },
];

/// One of the key's endpoints except endpoint 0.
pub(super) struct Endpoint {
    pub(super) address: u8,
    /// The interface of the endpoint.
    pub(super) interface: u8,
    /// 2 is bulk, 3 is interrupt (USB 2.0, 9.6.6).
    pub(super) kind: u8,
    pub(super) packet: usize,
    pub(super) interval: u8,
}

/// A bulk endpoint.
const BULK: u8 = 2;
/// An interrupt endpoint.
const INTERRUPT: u8 = 3;

pub(super) const ENDPOINTS: [Endpoint; 3] = [
    Endpoint {
        address: INTERRUPT_IN,
        interface: 0,
        kind: INTERRUPT,
        packet: INTERRUPT_PACKET,
        interval: INTERRUPT_INTERVAL,
    },
    Endpoint { address: BULK_IN, interface: 1, kind: BULK, packet: PACKET, interval: 0 },
    Endpoint { address: BULK_OUT, interface: 1, kind: BULK, packet: PACKET, interval: 0 },
];

const TYPE_DEVICE: u8 = 1;
const TYPE_CONFIGURATION: u8 = 2;
const TYPE_STRING: u8 = 3;
const TYPE_INTERFACE: u8 = 4;
const TYPE_ENDPOINT: u8 = 5;
/// A class-specific descriptor of an interface (CDC 1.2, 5.2.3).
const TYPE_CS_INTERFACE: u8 = 0x24;

/// Returns the descriptor for a GET_DESCRIPTOR request with this value, or `None` if the key does not have it. It has
/// no device qualifier, because only high-speed devices have one.
pub(super) fn descriptor(value: u16, serial: &Serial) -> Option<Vec<u8>> {
    let [index, kind] = value.to_le_bytes();
    match (kind, index) {
        (TYPE_DEVICE, 0) => Some(device()),
        (TYPE_CONFIGURATION, 0) => Some(configuration()),
        (TYPE_STRING, index) => string(index, serial),
        _ => None,
    }
}

fn device() -> Vec<u8> {
    let usb_1_1 = u16_le(0x0110);
    let [vendor, product, version] = [VENDOR, PRODUCT, VERSION].map(u16_le);
    let class = [CLASS_CDC, 0, 0];
    let strings = [MANUFACTURER, PRODUCT_NAME, SERIAL];
    [&[18, TYPE_DEVICE], &usb_1_1[..], &class, &[PACKET as u8], &vendor, &product, &version, &strings, &[1]].concat()
}

fn configuration() -> Vec<u8> {
    let mut body = Vec::new();
    for interface in &INTERFACES {
        let endpoints = ENDPOINTS.iter().filter(|endpoint| endpoint.interface == interface.number);
        let Interface { number, class, subclass, protocol } = *interface;
        let count = endpoints.clone().count() as u8;
        body.extend([9, TYPE_INTERFACE, number, 0, count, class, subclass, protocol, 0]);
        if class == CLASS_CDC {
            body.extend(FUNCTIONS.iter().flat_map(|function| function.iter()));
        }
        for endpoint in endpoints {
            let [low, high] = u16_le(endpoint.packet as u16);
            body.extend([7, TYPE_ENDPOINT, endpoint.address, endpoint.kind, low, high, endpoint.interval]);
        }
    }
    let [low, high] = u16_le(9 + body.len() as u16);
    let head = [9, TYPE_CONFIGURATION, low, high, INTERFACES.len() as u8, CONFIGURATION, 0, BUS_POWERED, MAX_POWER];
    [&head[..], &body].concat()
}

/// Attributes: powered by the bus, no remote wake-up.
const BUS_POWERED: u8 = 0x80;
/// In units of 2 mA.
const MAX_POWER: u8 = 50;

/// CDC 1.1; no call management; supports line coding; interface 0 manages interface 1 (CDC 1.2, 5.2.3; PSTN 1.2, 5.3).
const FUNCTIONS: [&[u8]; 4] = [
    &[5, TYPE_CS_INTERFACE, 0x00, 0x10, 0x01],
    &[5, TYPE_CS_INTERFACE, 0x01, 0x00, 0x01],
    &[4, TYPE_CS_INTERFACE, 0x02, 0x02],
    &[5, TYPE_CS_INTERFACE, 0x06, 0x00, 0x01],
];

const LANGUAGES: u8 = 0;
const MANUFACTURER: u8 = 1;
const PRODUCT_NAME: u8 = 2;
const SERIAL: u8 = 3;
/// English (United States).
const ENGLISH: u16 = 0x0409;

fn string(index: u8, serial: &Serial) -> Option<Vec<u8>> {
    let units = match index {
        LANGUAGES => vec![ENGLISH],
        MANUFACTURER => "Simtec Electronics".encode_utf16().collect(),
        PRODUCT_NAME => "Entropy Key".encode_utf16().collect(),
        SERIAL => serial.to_string().encode_utf16().collect(),
        _ => return None,
    };
    let mut bytes = vec![2 + 2 * units.len() as u8, TYPE_STRING];
    bytes.extend(units.into_iter().flat_map(u16_le));
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial() -> Serial {
        "Nw/vBlg3+TBJORFE".parse().unwrap()
    }

    #[test]
    fn the_device_descriptor_is_an_entropy_keys() {
        let expected = [18, 1, 0x10, 0x01, 2, 0, 0, 64, 0xdf, 0x20, 0x01, 0x00, 0x00, 0x01, 1, 2, 3, 1];
        assert_eq!(descriptor(0x0100, &serial()).unwrap(), expected);
    }

    #[test]
    fn the_configuration_has_the_keys_endpoints() {
        let bytes = descriptor(0x0200, &serial()).unwrap();
        assert_eq!(usize::from(u16::from_le_bytes([bytes[2], bytes[3]])), bytes.len(), "wTotalLength");
        let (mut rest, mut endpoints, mut interfaces) = (&bytes[..], Vec::new(), Vec::new());
        while let Some(length) = rest.first().map(|length| usize::from(*length)) {
            let part = &rest[..length];
            match part[1] {
                TYPE_ENDPOINT => endpoints.push((part[2], part[3], u16::from_le_bytes([part[4], part[5]]))),
                TYPE_INTERFACE => interfaces.push((part[2], part[4], part[5])),
                _ => {}
            }
            rest = &rest[length..];
        }
        assert_eq!(interfaces, [(0, 1, 2), (1, 2, 10)], "number, endpoints, class");
        assert_eq!(endpoints, [(0x82, 3, 16), (0x81, 2, 64), (0x03, 2, 64)], "address, kind, packet");
    }

    #[test]
    fn the_serial_number_keeps_its_slash_and_plus() {
        let bytes = descriptor(0x0303, &serial()).unwrap();
        assert_eq!((usize::from(bytes[0]), bytes[1]), (bytes.len(), TYPE_STRING));
        let units: Vec<u16> = bytes[2..].as_chunks().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        assert_eq!(String::from_utf16(&units).unwrap(), "Nw/vBlg3+TBJORFE");
    }

    #[test]
    fn unknown_descriptors_do_not_exist() {
        for value in [0x0101, 0x0201, 0x0304, 0x0600, 0x0f00, 0x0000, 0xffff] {
            assert_eq!(descriptor(value, &serial()), None, "{value:#06x}");
        }
    }
}
