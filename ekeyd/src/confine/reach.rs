//! How far into the network the configuration reaches.

use std::fmt;

use crate::config::{Claim, Resource};

/// What the daemon connects to over IP. Its listeners are open before the sandbox closes, so they do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing: no socket of IP can be made.
    Nothing,
    /// Servers, by their addresses: TCP only.
    Addresses,
    /// Servers, by their names: TCP, and UDP for the questions to name servers. The filter cannot see where a datagram goes.
    Names,
}

impl Reach {
    /// Returns how far these claims reach.
    pub(super) fn of(claims: &[Claim]) -> Self {
        let any = |is_it: fn(&Resource) -> bool| claims.iter().any(|claim| is_it(&claim.resource));
        if any(|resource| matches!(resource, Resource::Resolve(_))) {
            Self::Names
        } else if any(|resource| matches!(resource, Resource::Connect(..))) {
            Self::Addresses
        } else {
            Self::Nothing
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "none: no server is configured, so the daemon makes no socket of IP",
            Self::Addresses => "TCP to the servers in [egd-client], which are named by address",
            Self::Names => {
                "TCP to the servers in [egd-client], and UDP to anywhere, because a server's name takes a name server"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, Section as _};

    #[test]
    fn only_servers_of_the_client_are_reached() {
        let of = |text: &str| Reach::of(&Config::parse(Path::new("ekeyd.toml"), text).unwrap().claims());
        let listening = "[egd]\nlisten = [\"tcp:127.0.0.1:8888\"]\n[http]\nlisten = \"127.0.0.1:9178\"\n";
        assert_eq!(of(listening), Reach::Nothing);
        assert_eq!(of("[egd-client]\nconnect = \"unix:/s\"\n"), Reach::Nothing);
        assert_eq!(of("[egd-client]\nconnect = \"tcp:192.0.2.1:8888\"\n"), Reach::Addresses);
        assert_eq!(of("[egd-client]\nconnect = [\"tcp:192.0.2.1:8888\", \"tcp:keys.example.org:8\"]\n"), Reach::Names);
    }
}
