//! A network of addresses in CIDR notation: `10.0.0.0/8`, `fd00::/8`, or one address.

use std::net::IpAddr;

use ipnet::IpNet;

/// The addresses that share a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network(IpNet);

impl Network {
    /// Reads `ADDRESS/BITS` or `ADDRESS`, or says what is wrong with it. [`IpNet`]'s own parser does not say what is wrong, and
    /// accepts bits behind the prefix.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let not_one = || format!("`{text}` is not a network; expected for example `10.0.0.0/8`, `fd00::/8` or `::1`");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let one: IpNet = address.parse::<IpAddr>().map_err(|_| not_one())?.into();
        let bits = one.max_prefix_len();
        let prefix = prefix.map_or(Ok(bits), str::parse::<u8>).map_err(|_| not_one())?;
        let network = IpNet::new(one.addr(), prefix)
            .map_err(|_| format!("`{text}` has a prefix of {prefix} bits; expected at most {bits}"))?;
        if network.trunc() == network {
            return Ok(Self(network));
        }
        Err(format!("`{text}` has bits behind its prefix; expected `{}`, or only the address", network.trunc()))
    }

    /// Returns whether `address` is in it. An IPv4 address that came in over IPv6 counts as IPv4.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_shares_its_prefix() {
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
    fn a_refusal_says_what_was_meant() {
        for (text, named) in [
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("fd00::1/8", "fd00::/8"),
            ("10.0.0.0/33", "at most 32"),
            ("::/129", "at most 128"),
            ("10.0.0", "not a network"),
            ("host/8", "not a network"),
            ("10.0.0.0/x", "not a network"),
            ("", "not a network"),
        ] {
            let refused = Network::parse(text).unwrap_err();
            assert!(refused.contains(named), "{text}: {refused}");
        }
    }
}
