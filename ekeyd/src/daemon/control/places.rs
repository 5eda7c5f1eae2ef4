//! The limits of connections, and which connection makes room for another.
//!
//! Each kind of peer has places of its own, so that no other kind can keep root out. A newcomer is never refused: if its kind has
//! no place left, the peer with the most connections loses its oldest idle one.

use std::cmp::Reverse;

use slab::Slab;

use super::client::Client;
use super::peer::{Kind, Peer};

/// Limit of connections of one kind of peer.
const PLACES: usize = 32;
/// Limit of all connections.
pub(super) const ALL_PLACES: usize = Kind::COUNT * PLACES;

/// Returns which client must go before one of `newcomer` comes, if its kind has no place left.
pub(super) fn to_evict(clients: &Slab<Client>, newcomer: Peer) -> Option<usize> {
    let same_kind = || clients.iter().filter(|(_, client)| client.peer.kind() == newcomer.kind());
    if same_kind().count() < PLACES {
        return None;
    }
    let connections =
        |peer: Peer| same_kind().filter(|(_, client)| client.peer == peer).count() + usize::from(peer == newcomer);
    let rank = |client: &Client| (connections(client.peer), !client.is_busy(), Reverse(client.active));
    same_kind().max_by_key(|(_, client)| rank(client)).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::net::UnixStream;

    use super::*;
    use crate::socket::Stream;

    /// Clients of these peers, the first of which was active last longest ago.
    fn clients(peers: impl IntoIterator<Item = Peer>) -> Slab<Client> {
        let mut clients = Slab::new();
        for (second, peer) in (0..).zip(peers) {
            let (stream, _other) = UnixStream::pair().unwrap();
            let mut client = Client::new(Stream::Unix(stream), peer);
            client.set_sent();
            client.active += Duration::from_secs(second);
            clients.insert(client);
        }
        clients
    }

    fn many(peer: Peer, count: usize) -> impl Iterator<Item = Peer> {
        std::iter::repeat_n(peer, count)
    }

    #[test]
    fn one_kind_of_peer_takes_no_place_of_another() {
        let full = clients(many(Peer::Port, PLACES).chain(many(Peer::User(7), PLACES)));
        assert_eq!(to_evict(&full, Peer::Master), None);
        assert_eq!(to_evict(&full, Peer::Port), Some(0));
        assert_eq!(to_evict(&full, Peer::User(7)), Some(PLACES));
        assert_eq!(to_evict(&clients(many(Peer::User(7), PLACES - 1)), Peer::User(7)), None);
    }

    #[test]
    fn the_user_with_the_most_connections_loses_one() {
        let one_and_many = || many(Peer::User(1), 1).chain(many(Peer::User(2), PLACES - 1));
        assert_eq!(to_evict(&clients(one_and_many()), Peer::User(3)), Some(1));
        assert_eq!(to_evict(&clients(one_and_many()), Peer::User(2)), Some(1));
        let half = PLACES / 2;
        let halves = clients(many(Peer::User(1), half).chain(many(Peer::User(2), half)));
        assert_eq!(to_evict(&halves, Peer::User(2)), Some(half), "the newcomer counts as well");
    }

    #[test]
    fn an_idle_client_goes_before_a_busy_one() {
        let mut full = clients(many(Peer::Port, PLACES));
        for id in 0..5 {
            full[id].answer(&ekey_control::Reply::ok());
        }
        assert_eq!(to_evict(&full, Peer::Port), Some(5));
        full.iter_mut().for_each(|(_, client)| client.answer(&ekey_control::Reply::ok()));
        assert_eq!(to_evict(&full, Peer::Port), Some(0));
    }
}
