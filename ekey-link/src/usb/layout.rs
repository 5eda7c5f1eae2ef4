//! Where on a key the bytes go in and out, by its descriptors.

use rusb::{ConfigDescriptor, Direction, TransferType};

/// USB class codes (usb.org, defined class codes).
const CLASS_CDC_DATA: u8 = 0x0a;
/// More interfaces than a key has; a device that claims to have more is not claimed as a whole.
const MOST_INTERFACES: usize = 8;
/// The longest packet of a bulk endpoint at full speed is 64 bytes, at high speed 512, at super speed 1024.
const LONGEST_PACKET: u16 = 1024;

/// The interfaces of a key, and the endpoints that carry its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The numbers of all interfaces, the communications interface first.
    pub(super) interfaces: Vec<u8>,
    /// The number of the interface that carries the bytes.
    pub(super) data: u8,
    /// The address of the endpoint that the key's bytes come from.
    pub(super) bulk_in: u8,
    /// The address of the endpoint that commands go to.
    pub(super) bulk_out: u8,
    /// The longest packet that comes in, in bytes.
    pub(super) packet_len: usize,
}

/// An interface, as far as it matters here.
#[derive(Debug, Clone)]
struct Interface {
    number: u8,
    class: u8,
    bulk: Vec<Endpoint>,
}

#[derive(Debug, Clone, Copy)]
struct Endpoint {
    address: u8,
    incoming: bool,
    packet_len: u16,
}

impl Layout {
    /// Reads the descriptors. None if they have no data interface with an endpoint for each direction.
    pub(super) fn read(config: &ConfigDescriptor) -> Option<Self> {
        let interfaces = config.interfaces().take(MOST_INTERFACES).filter_map(|interface| {
            // The first setting is the one in force: no other is ever asked for.
            let setting = interface.descriptors().next()?;
            let bulk = setting.endpoint_descriptors().filter(|endpoint| endpoint.transfer_type() == TransferType::Bulk);
            let bulk = bulk.map(|endpoint| Endpoint {
                address: endpoint.address(),
                incoming: endpoint.direction() == Direction::In,
                packet_len: endpoint.max_packet_size(),
            });
            Some(Interface { number: interface.number(), class: setting.class_code(), bulk: bulk.collect() })
        });
        Self::of(&interfaces.collect::<Vec<_>>())
    }

    fn of(interfaces: &[Interface]) -> Option<Self> {
        interfaces.iter().filter(|interface| interface.class == CLASS_CDC_DATA).find_map(|data| {
            let bulk_in = data.bulk.iter().find(|endpoint| endpoint.incoming)?;
            let bulk_out = data.bulk.iter().find(|endpoint| !endpoint.incoming)?;
            if !(1..=LONGEST_PACKET).contains(&bulk_in.packet_len) {
                return None;
            }
            let mut numbers: Vec<u8> = interfaces.iter().map(|interface| interface.number).collect();
            numbers.sort_by_key(|&number| (number == data.number, number));
            numbers.dedup();
            Some(Self {
                interfaces: numbers,
                data: data.number,
                bulk_in: bulk_in.address,
                bulk_out: bulk_out.address,
                packet_len: usize::from(bulk_in.packet_len),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Interface, Layout};

    const IN: Endpoint = Endpoint { address: 0x81, incoming: true, packet_len: 64 };
    const OUT: Endpoint = Endpoint { address: 0x03, incoming: false, packet_len: 64 };

    fn interface(number: u8, class: u8, bulk: &[Endpoint]) -> Interface {
        Interface { number, class, bulk: bulk.to_vec() }
    }

    #[test]
    fn a_key_sends_and_takes_bytes_at_its_data_interface() {
        let layout = Layout::of(&[interface(0, 2, &[]), interface(1, 0x0a, &[IN, OUT])]);
        let expected = Layout { interfaces: vec![0, 1], data: 1, bulk_in: 0x81, bulk_out: 0x03, packet_len: 64 };
        assert_eq!(layout, Some(expected));
    }

    #[test]
    fn the_data_interface_comes_last_whatever_its_number() {
        let layout = Layout::of(&[interface(0, 0x0a, &[OUT, IN]), interface(1, 2, &[])]).expect("a layout");
        assert_eq!((layout.interfaces, layout.data), (vec![1, 0], 0));
    }

    #[test]
    fn an_interface_of_another_class_is_not_data() {
        assert_eq!(Layout::of(&[interface(0, 8, &[IN, OUT])]), None);
    }

    #[test]
    fn one_direction_alone_is_not_enough() {
        assert_eq!(Layout::of(&[interface(1, 0x0a, &[IN])]), None);
        assert_eq!(Layout::of(&[interface(1, 0x0a, &[OUT])]), None);
        assert_eq!(Layout::of(&[]), None);
    }

    #[test]
    fn packets_of_no_length_or_too_long_are_refused() {
        for packet_len in [0, 1025, u16::MAX] {
            let wrong = Endpoint { packet_len, ..IN };
            assert_eq!(Layout::of(&[interface(1, 0x0a, &[wrong, OUT])]), None, "{packet_len}");
        }
    }
}
