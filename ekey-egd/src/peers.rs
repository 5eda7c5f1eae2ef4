//! What keeps peers within limits: how many clients each may have, and how many bytes a second they get together.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::{Bucket, Rate};

/// Peers without clients that are remembered until their burst is whole again.
const MOST_REMEMBERED: usize = 65_536;

/// The peers, each named by a `P`, and their clients, each named by a `T`.
#[derive(Debug)]
pub struct PeerLimits<P, T> {
    most_clients: Option<usize>,
    rate: Option<Rate>,
    peers: HashMap<P, Use<T>>,
    /// When peers whose clients wait for their rate may have some more.
    wakes: BinaryHeap<Reverse<(Instant, P)>>,
}

/// What a peer uses of its limits.
#[derive(Debug)]
struct Use<T> {
    clients: usize,
    bucket: Bucket,
    /// Clients that wait for their peer's rate, with the bytes that they wait for.
    parked: VecDeque<(T, usize)>,
    /// Of these, those that have gone.
    stale: usize,
}

/// The peer has as many clients as the limit allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer has as many clients as it may have")]
pub struct TooMany;

impl<P: Copy + Hash + Ord, T: Copy> PeerLimits<P, T> {
    /// Makes the limits of all peers: clients at a time, and bytes a second; `None` for no limit.
    #[must_use]
    pub fn new(most_clients: Option<usize>, rate: Option<Rate>) -> Self {
        Self { most_clients, rate, peers: HashMap::new(), wakes: BinaryHeap::new() }
    }

    /// Admits a client of `peer`.
    ///
    /// # Errors
    /// [`TooMany`] at the limit of clients.
    pub fn admit(&mut self, peer: P, now: Instant) -> Result<(), TooMany> {
        if self.peers.len() >= MOST_REMEMBERED && !self.peers.contains_key(&peer) {
            self.peers.retain(|_, used| used.clients > 0);
        }
        let new = || Use { clients: 0, bucket: Bucket::full(now), parked: VecDeque::new(), stale: 0 };
        let used = self.peers.entry(peer).or_insert_with(new);
        if self.most_clients.is_some_and(|most| used.clients >= most) {
            return Err(TooMany);
        }
        used.clients += 1;
        Ok(())
    }

    /// Returns the peer with the most clients, if those are more than `peer` has.
    #[must_use]
    pub fn larger_than(&self, peer: P) -> Option<P> {
        let most = self.peers.get(&peer).map_or(0, |used| used.clients);
        let larger = self.peers.iter().filter(|(_, used)| used.clients > most);
        larger.max_by_key(|(_, used)| used.clients).map(|(peer, _)| *peer)
    }

    /// Notes that a client has gone. `parked` says whether it was waiting here, and `is_live` which clients have not gone.
    pub fn leave(&mut self, peer: P, parked: bool, now: Instant, is_live: impl Fn(T) -> bool) {
        let Some(used) = self.peers.get_mut(&peer) else { return };
        used.clients -= 1;
        if used.clients == 0 {
            used.parked.clear();
            used.stale = 0;
        } else if parked {
            used.stale += 1;
            if used.stale * 2 > used.parked.len() {
                used.parked.retain(|(client, _)| is_live(*client));
                used.stale = 0;
            }
        }
        if used.clients == 0 && used.bucket.is_full(now) {
            self.peers.remove(&peer);
        }
    }

    /// Returns how many bytes a client of `peer` may be given now: none while others of `peer` wait for its rate, or it would take
    /// what they wait for again and again.
    #[must_use]
    pub fn allowance(&self, peer: P, now: Instant) -> usize {
        let waits = |used: &Use<T>| used.parked.len() > used.stale;
        self.used(peer)
            .map_or(usize::MAX, |(rate, used)| if waits(used) { 0 } else { used.bucket.allowance(rate, now) })
    }

    /// Returns how many bytes a client of `peer` that was [`released`](Self::released) may be given now.
    #[must_use]
    pub fn allowance_of_released(&self, peer: P, now: Instant) -> usize {
        self.used(peer).map_or(usize::MAX, |(rate, used)| used.bucket.allowance(rate, now))
    }

    fn used(&self, peer: P) -> Option<(Rate, &Use<T>)> {
        self.rate.zip(self.peers.get(&peer))
    }

    /// Takes the `bytes` that a client of `peer` got out of the bucket of `peer`.
    pub fn spend(&mut self, peer: P, bytes: u64, now: Instant) {
        if let (Some(rate), Some(used), 1..) = (self.rate, self.peers.get_mut(&peer), bytes) {
            used.bucket.spend(rate, now, bytes);
        }
    }

    /// Has a client wait until its peer may have `bytes`, the client's whole request. One that was `released`, and came too late,
    /// waits before the others.
    pub fn park(&mut self, peer: P, client: T, bytes: usize, released: bool) {
        let Some(rate) = self.rate else { return };
        let Some(used) = self.peers.get_mut(&peer) else { return };
        let is_first = used.parked.is_empty();
        if released {
            used.parked.push_front((client, bytes));
        } else {
            used.parked.push_back((client, bytes));
        }
        if is_first {
            let at = used.bucket.when(rate, bytes);
            self.wakes.push(Reverse((at, peer)));
        }
    }

    /// Hands the clients whose peers may have what they wait for now to `release`, the longest waiting first. `release` returns whether
    /// the client has not gone.
    pub fn released(&mut self, now: Instant, mut release: impl FnMut(T) -> bool) {
        let Some(rate) = self.rate else { return };
        while let Some(Reverse((at, peer))) = self.wakes.peek().copied()
            && at <= now
        {
            self.wakes.pop();
            let Some(used) = self.peers.get_mut(&peer) else { continue };
            let allowance = used.bucket.allowance(rate, now);
            let mut needed = 0;
            let fits = |(_, bytes): &&(T, usize)| {
                let is_first = needed == 0;
                needed += bytes;
                is_first || needed <= allowance
            };
            let count = used.parked.iter().take_while(fits).count();
            let gone = used.parked.drain(..count).filter(|(client, _)| !release(*client)).count();
            used.stale = used.stale.saturating_sub(gone);
            if !used.parked.is_empty() {
                // What the next one needs is counted already.
                let at = used.bucket.when(rate, needed).max(now);
                self.wakes.push(Reverse((at + Duration::from_millis(1), peer)));
            }
        }
    }

    /// Returns when to ask for those that are [`released`](Self::released).
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        self.wakes.peek().map(|Reverse((at, _))| *at)
    }

    /// Forgets the peers that have gone and whose burst is whole, which are as good as new ones.
    pub fn sweep(&mut self, now: Instant) {
        self.peers.retain(|_, used| used.clients > 0 || !used.bucket.is_full(now));
    }

    /// Whether there may be peers to forget later: those that have gone, and whose burst is not whole.
    #[must_use]
    pub fn may_forget(&self) -> bool {
        self.rate.is_some() && !self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::some_time;
    use proptest::prelude::*;

    const RATE: Rate = Rate { bytes_per_s: 640, burst_bytes: 640 };

    fn released(limits: &mut PeerLimits<char, u32>, now: Instant) -> Vec<u32> {
        let mut clients = Vec::new();
        limits.released(now, |client| {
            clients.push(client);
            true
        });
        clients
    }

    #[test]
    fn without_a_limit_each_client_is_admitted() {
        let now = some_time();
        let mut limits: PeerLimits<char, u32> = PeerLimits::new(None, None);
        (0..100).for_each(|_| assert_eq!(limits.admit('a', now), Ok(())));
        assert_eq!(limits.allowance('a', now), usize::MAX);
        assert!(!limits.may_forget());
    }

    #[test]
    fn the_peer_with_the_most_clients_is_known() {
        let now = some_time();
        let mut limits: PeerLimits<char, u32> = PeerLimits::new(None, None);
        "abbccc".chars().for_each(|peer| limits.admit(peer, now).unwrap());
        assert_eq!(
            "abcd".chars().map(|peer| limits.larger_than(peer)).collect::<Vec<_>>(),
            [Some('c'), Some('c'), None, Some('c')]
        );
        limits.leave('c', false, now, |_| true);
        assert_eq!(limits.larger_than('b'), None);
    }

    #[test]
    fn each_peer_has_its_own_number_of_clients() {
        let now = some_time();
        let mut limits: PeerLimits<char, u32> = PeerLimits::new(Some(2), None);
        for _ in 0..2 {
            assert_eq!(limits.admit('a', now), Ok(()));
        }
        assert_eq!(limits.admit('a', now), Err(TooMany));
        assert_eq!(limits.admit('b', now), Ok(()));
        limits.leave('a', false, now, |_| true);
        assert_eq!(limits.admit('a', now), Ok(()));
    }

    #[test]
    fn parked_clients_are_released_in_order_at_the_rate() {
        let start = some_time();
        let mut limits = PeerLimits::new(None, Some(RATE));
        for peer in ['a', 'a', 'a', 'b'] {
            limits.admit(peer, start).unwrap();
        }
        limits.spend('a', 640, start);
        assert_eq!((limits.allowance('a', start), limits.allowance('b', start)), (0, 640));
        let bytes = [255, 1, 64];
        for (client, bytes) in (0..).zip(bytes) {
            limits.park('a', client, bytes, false);
        }
        assert_eq!(released(&mut limits, start), []);
        let mut order = Vec::new();
        while let Some(wake) = limits.next_wake() {
            for client in released(&mut limits, wake) {
                let bytes = bytes[client as usize];
                assert!(limits.allowance_of_released('a', wake) >= bytes, "client {client} is woken too early");
                order.push(client);
                limits.spend('a', bytes as u64, wake);
            }
        }
        assert_eq!(order, [0, 1, 2]);
    }

    #[test]
    fn no_client_overtakes_those_that_wait_for_the_rate() {
        let start = some_time();
        let mut limits = PeerLimits::new(None, Some(RATE));
        for _ in 0..2 {
            limits.admit('a', start).unwrap();
        }
        limits.spend('a', 640, start);
        limits.park('a', 1, 255, false);
        let later = start + Duration::from_millis(200);
        assert_eq!(limits.allowance('a', later), 0, "128 bytes are there, and another client waits for them");
        assert_eq!(released(&mut limits, later), []);
        let wake = limits.next_wake().unwrap();
        assert_eq!(released(&mut limits, wake), [1]);
        // Another request came first after all: it waits in front of the others.
        limits.spend('a', 10, wake);
        limits.park('a', 2, 16, false);
        limits.park('a', 1, 255, true);
        let mut order = Vec::new();
        while let Some(wake) = limits.next_wake() {
            order.extend(released(&mut limits, wake));
        }
        assert_eq!(order, [1, 2]);
    }

    #[test]
    fn clients_that_have_gone_do_not_hold_others_up() {
        let start = some_time();
        let mut limits: PeerLimits<char, u32> = PeerLimits::new(None, Some(RATE));
        for _ in 0..3 {
            limits.admit('a', start).unwrap();
        }
        for client in 0..2 {
            limits.park('a', client, 255, false);
        }
        limits.leave('a', true, start, |client| client != 0);
        limits.released(start + Duration::from_secs(1), |client| client != 0);
        assert_eq!(limits.allowance('a', start), 640, "no client waits");
    }

    #[test]
    fn a_peer_is_forgotten_once_its_burst_is_whole() {
        let start = some_time();
        let mut limits: PeerLimits<char, u32> = PeerLimits::new(None, Some(RATE));
        limits.admit('a', start).unwrap();
        limits.spend('a', 640, start);
        limits.leave('a', false, start, |_| true);
        limits.sweep(start + Duration::from_millis(900));
        assert!(limits.may_forget(), "it would get a second burst");
        limits.sweep(start + Duration::from_millis(1000));
        assert!(!limits.may_forget());
    }

    proptest! {
        #[test]
        fn many_clients_get_a_peer_no_more_than_its_rate(
            turns in prop::collection::vec((0..500_u64, 0..4_u32, any::<bool>()), 1..200)
        ) {
            let start = some_time();
            let mut limits = PeerLimits::new(None, Some(RATE));
            let (mut now, mut given) = (start, 0_usize);
            let mut parked = [None; 4];
            let mut here = [false; 4];
            let mut named = 0_u64;
            for (ms, client, leaves) in turns {
                now += Duration::from_millis(ms);
                let mut out = Vec::new();
                limits.released(now, |name| {
                    out.push(name);
                    parked.contains(&Some(name))
                });
                for name in out {
                    parked.iter_mut().filter(|parked| **parked == Some(name)).for_each(|parked| *parked = None);
                }
                let client = client as usize;
                if !here[client] {
                    prop_assert_eq!(limits.admit('a', now), Ok(()));
                    here[client] = true;
                } else if leaves {
                    let was = parked[client].take();
                    limits.leave('a', was.is_some(), now, |name| parked.contains(&Some(name)));
                    here[client] = false;
                } else if parked[client].is_none() {
                    let bytes = limits.allowance('a', now).min(255);
                    given += bytes;
                    limits.spend('a', bytes as u64, now);
                    named += 1;
                    parked[client] = Some(named);
                    limits.park('a', named, 255, false);
                }
                let most = 640.0 + (now - start).as_secs_f64() * 640.0;
                prop_assert!(given as f64 <= most + 1.0, "{} bytes, {} are allowed", given, most);
                prop_assert!(parked.iter().all(Option::is_none) || limits.next_wake().is_some(), "a client waits for ever");
            }
        }
    }
}
