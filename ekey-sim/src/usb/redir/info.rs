//! What the host learns about the key before it asks.
//!
//! Source: usb-redirection-protocol.md of usbredir, device_connect, interface_info, ep_info.

use super::capabilities::Capabilities;
use crate::usb::descriptors::{CLASS_CDC, ENDPOINTS, INTERFACES, PACKET, PRODUCT, VENDOR, VERSION};
use crate::usb::request::u16_le;

/// Places for interfaces and endpoints. Those of endpoints are 0 to 15 out, then 0 to 15 in.
const PLACES: usize = 32;
const FULL_SPEED: u8 = 1;
/// The kind of endpoint 0. Other endpoints have the numbers of their descriptors.
const CONTROL: u8 = 0;
const NO_ENDPOINT: u8 = 255;

/// Returns the device: speed, class, identity.
pub(super) fn device(agreed: Capabilities) -> Vec<u8> {
    let [vendor, product, version] = [VENDOR, PRODUCT, VERSION].map(u16_le);
    let version = if agreed.device_version { &version[..] } else { &[] };
    [&[FULL_SPEED, CLASS_CDC, 0, 0], &vendor[..], &product, version].concat()
}

/// Returns the interfaces of the configuration, or none.
pub(super) fn interfaces(configured: bool) -> Vec<u8> {
    let there = if configured { &INTERFACES[..] } else { &[] };
    let [mut numbers, mut classes, mut subclasses, mut protocols] = [[0; PLACES]; 4];
    for (place, interface) in there.iter().enumerate() {
        numbers[place] = interface.number;
        classes[place] = interface.class;
        subclasses[place] = interface.subclass;
        protocols[place] = interface.protocol;
    }
    let count = (there.len() as u32).to_le_bytes();
    [&count[..], &numbers, &classes, &subclasses, &protocols].concat()
}

/// Returns endpoint 0 and, if the key is configured, its other endpoints.
pub(super) fn endpoints(configured: bool, agreed: Capabilities) -> Vec<u8> {
    let mut kinds = [NO_ENDPOINT; PLACES];
    let [mut intervals, mut interfaces] = [[0; PLACES]; 2];
    let mut packets = [[0; 2]; PLACES];
    for place in [0, PLACES / 2] {
        (kinds[place], packets[place]) = (CONTROL, u16_le(PACKET as u16));
    }
    for endpoint in ENDPOINTS.iter().filter(|_| configured) {
        let place = usize::from((endpoint.address & 0x80) >> 3 | endpoint.address & 0x0f);
        kinds[place] = endpoint.kind;
        intervals[place] = endpoint.interval;
        interfaces[place] = endpoint.interface;
        packets[place] = u16_le(endpoint.packet as u16);
    }
    let packets = if agreed.packet_sizes { packets.as_flattened() } else { &[] };
    [&kinds[..], &intervals, &interfaces, packets].concat()
}
