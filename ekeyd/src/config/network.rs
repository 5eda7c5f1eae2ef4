//! A network of addresses, as CIDR writes it: `10.0.0.0/8`, `fd00::/8`, or one address.

use std::fmt;
use std::net::IpAddr;

/// The addresses that share a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `ADDRESS/BITS` or `ADDRESS`, or says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let no_network = || format!("`{text}` is no network; expected for example `10.0.0.0/8`, `fd00::/8` or `::1`");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| no_network())?;
        let bits = width(address);
        let prefix = prefix.map_or(Ok(bits), str::parse::<u8>).map_err(|_| no_network())?;
        if prefix > bits {
            return Err(format!("`{text}` has a prefix of {prefix} bits; expected at most {bits}"));
        }
        let network = Self { address, prefix };
        let first = network.first();
        if first == value(address) {
            return Ok(network);
        }
        let meant = Self { address: address_of(first, address), prefix };
        Err(format!("`{text}` has bits behind its prefix; expected `{meant}`, or only the address"))
    }

    /// Whether `address` is in it. An IPv4 address that came in over IPv6 counts as what it is.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let same = Self { address, prefix: self.prefix };
        width(address) == width(self.address) && same.first() == self.first()
    }

    /// Its first address, as a number.
    fn first(&self) -> u128 {
        let behind = u32::from(width(self.address) - self.prefix);
        value(self.address).checked_shr(behind).and_then(|bits| bits.checked_shl(behind)).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn address_of(value: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4((value as u32).into()),
        IpAddr::V6(_) => IpAddr::V6(value.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_what_shares_its_prefix_and_nothing_else() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.6"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("::1", "::1", "::2"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::127.0.0.1"),
        ] {
            let read = Network::parse(network).unwrap();
            assert!(read.contains(inside.parse().unwrap()), "{inside} is in {network}");
            assert!(!read.contains(outside.parse().unwrap()), "{outside} is not in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_was_meant() {
        for (text, named) in [
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("fd00::1/8", "fd00::/8"),
            ("10.0.0.0/33", "at most 32"),
            ("::/129", "at most 128"),
            ("10.0.0", "no network"),
            ("host/8", "no network"),
            ("10.0.0.0/x", "no network"),
            ("", "no network"),
        ] {
            let refused = Network::parse(text).unwrap_err();
            assert!(refused.contains(named), "{text}: {refused}");
        }
    }
}
