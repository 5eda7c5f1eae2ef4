//! The names of this machine that a request may have in `Host`.
//!
//! A foreign web page can let a DNS name of its own point to this machine (DNS rebinding). A browser that shows the page then lets it
//! read the answers. So a name counts only if DNS has no say in it, or if the configuration has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What `Host` may be.
#[derive(Debug)]
pub(super) struct Hosts {
    is_local: bool,
    names: Vec<String>,
}

impl Hosts {
    /// Takes the configured `names`. If the server listens on a loopback address, takes also `localhost` and such addresses, else
    /// any address.
    pub(super) fn new(listen: IpAddr, names: &[String]) -> Self {
        Self { is_local: listen.to_canonical().is_loopback(), names: names.to_vec() }
    }

    /// Returns whether a request for `host`, a name or address with or without a port, may be answered.
    pub(super) fn include(&self, host: &str) -> bool {
        let is_port =
            |text: &str| text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (name, address, port) = match bracketed {
            Some((address, port)) => ("", address.parse::<Ipv6Addr>().map(IpAddr::V6).ok(), port),
            None => {
                let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
                (name, name.parse::<Ipv4Addr>().map(IpAddr::V4).ok(), port)
            }
        };
        let is_address = address.is_some_and(|address| !self.is_local || address.is_loopback());
        let is = |expected: &str| name.strip_suffix('.').unwrap_or(name).eq_ignore_ascii_case(expected);
        let is_name = (self.is_local && is("localhost")) || self.names.iter().any(|expected| is(expected));
        is_port(port) && (is_address || is_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listen: &str, names: &[&str]) -> Hosts {
        Hosts::new(listen.parse().unwrap(), &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    /// What no listener takes.
    const BAD: [&str; 9] = [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost:99999",
        "[::1",
        "[::1]x",
        "127.0.0.1:9178:1",
        "localhost:80@evil",
    ];

    #[test]
    fn only_names_that_dns_cannot_redirect_are_local() {
        for listen in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let hosts = hosts(listen, &[]);
            for host in ["localhost", "LOCALHOST:9178", "localhost.", "127.0.0.1", "127.8.8.8:1", "[::1]", "[::1]:9178"]
            {
                assert!(hosts.include(host), "{host} at {listen}");
            }
            for host in BAD.into_iter().chain(["10.0.0.1", "[::2]", "keys.example.org"]) {
                assert!(!hosts.include(host), "{host} at {listen}");
            }
        }
    }

    #[test]
    fn elsewhere_addresses_and_configured_names_count() {
        for listen in ["0.0.0.0", "::", "192.0.2.7"] {
            let hosts = hosts(listen, &["keys.example.org"]);
            for host in ["192.0.2.7", "10.0.0.1:9178", "[2001:db8::1]", "[::1]:9178", "127.0.0.1", "Keys.example.ORG:1"]
            {
                assert!(hosts.include(host), "{host} at {listen}");
            }
            let evil = [
                "localhost",
                "keys.example.org.evil.example",
                "xkeys.example.org",
                "example.org",
                "[keys.example.org]",
            ];
            for host in BAD.into_iter().chain(evil) {
                assert!(!hosts.include(host), "{host} at {listen}");
            }
        }
    }

    #[test]
    fn a_configured_name_counts_on_loopback_too() {
        assert!(hosts("127.0.0.1", &["keys.example.org"]).include("keys.example.org:9178"));
    }
}
