//! Who may connect: networks over TCP, users and groups on unix sockets.

use std::net::IpAddr;

use crate::config::{Limits, Network, Principal};
use crate::socket::{ListenError, Stream};
use nix::unistd::{Group, User};

/// Who may connect. An empty list allows all.
#[derive(Debug)]
pub(super) struct Guard {
    networks: Vec<Network>,
    users: Vec<u32>,
    groups: Vec<u32>,
}

/// The user or machine behind a client; limits apply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Peer {
    /// A user of this machine.
    User(u32),
    /// An address. Of IPv6 only the first half, because a machine usually has a whole network there.
    Address(IpAddr),
    /// It left before the server could ask.
    Unknown,
}

impl Guard {
    /// Makes a guard of the configured lists; looks up the names in them.
    ///
    /// # Errors
    /// [`ListenError::NoSuchPeer`] for the first user or group that this machine does not have (configuration).
    pub(super) fn new(limits: &Limits) -> Result<Self, ListenError> {
        let ids = |principals: &[Principal], find: &dyn Fn(&str) -> Option<u32>| {
            let id = |principal: &Principal| match principal {
                Principal::Id(id) => Ok(*id),
                Principal::Name(name) => find(name).ok_or_else(|| ListenError::NoSuchPeer(name.clone())),
            };
            principals.iter().map(id).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            networks: limits.networks.clone(),
            users: ids(&limits.users, &|name| User::from_name(name).ok().flatten().map(|user| user.uid.as_raw()))?,
            groups: ids(&limits.groups, &|name| Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw()))?,
        })
    }

    /// Returns whether the other end of `stream` may be a client.
    pub(super) fn admits(&self, stream: &Stream) -> bool {
        match stream {
            Stream::Unix(_) => {
                (self.users.is_empty() && self.groups.is_empty())
                    || stream
                        .user_and_group()
                        .is_some_and(|(user, group)| self.users.contains(&user) || self.groups.contains(&group))
            }
            _ => {
                self.networks.is_empty()
                    || stream.address().is_some_and(|peer| self.networks.iter().any(|net| net.contains(peer)))
            }
        }
    }
}

impl Peer {
    /// Returns the peer at the other end of `stream`.
    pub(super) fn of(stream: &Stream) -> Self {
        let found = match stream {
            Stream::Unix(_) => stream.user_and_group().map(|(user, _)| Self::User(user)),
            _ => stream.address().map(Self::at),
        };
        found.unwrap_or(Self::Unknown)
    }

    fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
            address => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{getegid, geteuid};

    fn stream() -> Stream {
        let (one, _other) = mio::net::UnixStream::pair().unwrap();
        Stream::Unix(one)
    }

    #[test]
    fn a_user_may_connect_by_name_number_or_group() {
        let (user, group) = (geteuid().as_raw(), getegid().as_raw());
        let admits = |users: Vec<Principal>, groups: Vec<Principal>| {
            Guard::new(&Limits { users, groups, ..Limits::default() }).unwrap().admits(&stream())
        };
        assert!(admits(vec![], vec![]));
        assert!(admits(vec![Principal::Id(user)], vec![]));
        assert!(admits(vec![Principal::Id(user + 1)], vec![Principal::Id(group)]));
        assert!(!admits(vec![Principal::Id(user + 1)], vec![]));
        assert!(!admits(vec![], vec![Principal::Id(group + 1)]));
        let name = User::from_uid(geteuid()).unwrap().unwrap().name;
        assert!(admits(vec![Principal::Name(name)], vec![]));
    }

    #[test]
    fn an_unknown_user_name_is_an_error_that_names_it() {
        let limits = Limits { users: vec![Principal::Name("nobody-has-this".to_owned())], ..Limits::default() };
        let refused = Guard::new(&limits).unwrap_err().to_string();
        assert!(refused.contains("nobody-has-this"), "{refused}");
    }

    #[test]
    fn an_address_of_ipv6_stands_for_its_network() {
        assert_eq!(Peer::at("2001:db8::1".parse().unwrap()), Peer::at("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(Peer::at("2001:db8::1".parse().unwrap()), Peer::at("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(Peer::at("::ffff:10.0.0.1".parse().unwrap()), Peer::at("10.0.0.1".parse().unwrap()));
    }
}
