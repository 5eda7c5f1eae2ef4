//! Who takes how much: the bytes of each peer, for the status.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use ekey_control::status::PeerStatus;

use super::guard::Peer;

/// Peers with a count. One more replaces the one that took the least, so that a crowd cannot fill the memory and those that take
/// the most stay.
const MOST: usize = 1024;

/// The bytes of each peer since the start.
#[derive(Debug, Default)]
pub(super) struct Takers {
    bytes: HashMap<Peer, u64>,
}

impl Takers {
    /// Counts bytes that a client of `peer` was given.
    pub(super) fn add(&mut self, peer: Peer, bytes: u64) {
        if bytes == 0 {
            return;
        }
        if self.bytes.len() >= MOST && !self.bytes.contains_key(&peer) {
            let least = self.bytes.iter().min_by_key(|(peer, bytes)| (**bytes, **peer)).map(|(peer, _)| *peer);
            least.map(|least| self.bytes.remove(&least));
        }
        *self.bytes.entry(peer).or_default() += bytes;
    }

    /// Returns the `most` peers that took the most, the first took the most. `connected` are the peers of all clients.
    pub(super) fn top(&self, most: usize, outlet: &str, connected: impl Iterator<Item = Peer>) -> Vec<PeerStatus> {
        let mut top: Vec<(Peer, u64)> = self.bytes.iter().map(|(peer, bytes)| (*peer, *bytes)).collect();
        top.sort_by_key(|(peer, bytes)| (Reverse(*bytes), *peer));
        top.truncate(most);
        let mut clients = vec![0; top.len()];
        for peer in connected {
            if let Some(place) = top.iter().position(|(other, _)| *other == peer) {
                clients[place] += 1;
            }
        }
        let status = |((peer, bytes), clients): ((Peer, u64), u64)| PeerStatus {
            peer: name(peer),
            outlet: outlet.to_owned(),
            bytes,
            clients,
        };
        top.into_iter().zip(clients).map(status).collect()
    }
}

fn name(peer: Peer) -> String {
    match peer {
        Peer::User(user) => format!("uid {user}"),
        Peer::Address(IpAddr::V6(network)) => format!("{network}/64"),
        Peer::Address(address) => address.to_string(),
        Peer::Unknown => "not known".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    fn top(takers: &Takers) -> Vec<(String, u64, u64)> {
        let connected = [Peer::User(1), Peer::User(1), Peer::User(2)];
        let top = takers.top(10, "egd", connected.into_iter());
        top.into_iter().map(|peer| (peer.peer, peer.bytes, peer.clients)).collect()
    }

    #[test]
    fn the_top_peer_took_the_most() {
        let mut takers = Takers::default();
        let network = Peer::Address("2001:db8::".parse().unwrap());
        for (peer, bytes) in [(Peer::User(1), 10), (network, 30), (Peer::User(1), 15), (Peer::User(3), 0)] {
            takers.add(peer, bytes);
        }
        let expected = [("2001:db8::/64".to_owned(), 30, 0), ("uid 1".to_owned(), 25, 2)];
        assert_eq!(top(&takers), expected, "who took nothing is not listed");
        assert_eq!(takers.top(1, "egd", iter::empty()).len(), 1);
    }

    #[test]
    fn a_crowd_neither_grows_it_nor_displaces_the_top() {
        let mut takers = Takers::default();
        takers.add(Peer::User(1_000_000), 5000);
        for user in 0..100_000 {
            takers.add(Peer::User(user), 64);
        }
        assert_eq!(takers.bytes.len(), MOST);
        assert_eq!(top(&takers)[0], ("uid 1000000".to_owned(), 5000, 0));
    }
}
