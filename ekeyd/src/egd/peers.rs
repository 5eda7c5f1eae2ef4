//! How much each peer is and gets: the number of its clients, and its bytes a second.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Instant;

use super::bucket::Bucket;
use super::guard::Peer;
use super::queue::Ticket;
use super::server::TURN;
use crate::config::{Limits, Rate};
use crate::socket::Stream;

/// Peers without clients that are remembered until their burst is whole again.
const MOST_REMEMBERED: usize = 65_536;

/// The peers. Without limits it knows of none.
#[derive(Debug)]
pub(super) struct Peers {
    most_clients: Option<usize>,
    rate: Option<Rate>,
    peers: HashMap<Peer, Account>,
    /// When peers whose clients wait for their rate may have some more.
    wakes: BinaryHeap<Reverse<(Instant, u64)>>,
    waking: HashMap<u64, Peer>,
    wakes_made: u64,
}

#[derive(Debug)]
struct Account {
    clients: usize,
    bucket: Bucket,
    /// Clients that wait for their peer's rate.
    parked: VecDeque<Ticket>,
    /// Of these, those that have gone.
    stale: usize,
}

impl Peers {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            most_clients: limits.clients_per_peer,
            rate: limits.rate_per_peer,
            peers: HashMap::new(),
            wakes: BinaryHeap::new(),
            waking: HashMap::new(),
            wakes_made: 0,
        }
    }

    /// Takes in one more client. Returns whom it belongs to, if that matters at all, or no more than that it is one too many.
    pub(super) fn enter(&mut self, stream: &Stream, now: Instant) -> Result<Option<Peer>, TooMany> {
        if self.most_clients.is_none() && self.rate.is_none() {
            return Ok(None);
        }
        let peer = Peer::of(stream);
        if self.peers.len() >= MOST_REMEMBERED && !self.peers.contains_key(&peer) {
            self.peers.retain(|_, account| account.clients > 0);
        }
        let new = || Account { clients: 0, bucket: Bucket::full(now), parked: VecDeque::new(), stale: 0 };
        let account = self.peers.entry(peer).or_insert_with(new);
        if self.most_clients.is_some_and(|most| account.clients >= most) {
            return Err(TooMany);
        }
        account.clients += 1;
        Ok(Some(peer))
    }

    /// A client has gone; `parked` says that it was waiting here, and `is_live` tells who still is.
    pub(super) fn leave(&mut self, peer: Option<Peer>, parked: bool, now: Instant, is_live: impl Fn(Ticket) -> bool) {
        let Some((peer, account)) = peer.and_then(|peer| Some((peer, self.peers.get_mut(&peer)?))) else { return };
        account.clients -= 1;
        if account.clients == 0 {
            account.parked.clear();
            account.stale = 0;
        } else if parked {
            account.stale += 1;
            if account.stale * 2 > account.parked.len() {
                account.parked.retain(|ticket| is_live(*ticket));
                account.stale = 0;
            }
        }
        if account.clients == 0 && account.bucket.is_full(now) {
            self.peers.remove(&peer);
        }
    }

    /// Bytes that a client of `peer` may be given now.
    pub(super) fn allowance(&self, peer: Option<Peer>, now: Instant) -> usize {
        let Some(rate) = self.rate else { return usize::MAX };
        let account = peer.and_then(|peer| self.peers.get(&peer));
        account.map_or(usize::MAX, |account| account.bucket.allowance(rate, now))
    }

    /// A client of `peer` has been given so many bytes.
    pub(super) fn spend(&mut self, peer: Option<Peer>, bytes: u64, now: Instant) {
        let account = peer.and_then(|peer| self.peers.get_mut(&peer));
        if let (Some(rate), Some(account), 1..) = (self.rate, account, bytes) {
            account.bucket.spend(rate, now, bytes);
        }
    }

    /// Has a client wait until its peer may have a turn's bytes.
    pub(super) fn park(&mut self, peer: Option<Peer>, ticket: Ticket) {
        let Some((peer, rate)) = peer.zip(self.rate) else { return };
        let Some(account) = self.peers.get_mut(&peer) else { return };
        account.parked.push_back(ticket);
        if account.parked.len() == 1 {
            let at = account.bucket.when(rate, TURN);
            self.wake_at(at, peer);
        }
    }

    /// The clients whose peers may have some more now.
    pub(super) fn released(&mut self, now: Instant, mut release: impl FnMut(Ticket)) {
        let Some(rate) = self.rate else { return };
        while let Some(Reverse((at, number))) = self.wakes.peek().copied()
            && at <= now
        {
            self.wakes.pop();
            let Some(peer) = self.waking.remove(&number) else { continue };
            let Some(account) = self.peers.get_mut(&peer) else { continue };
            let turns = (account.bucket.allowance(rate, now) / TURN).max(1).min(account.parked.len());
            account.parked.drain(..turns).for_each(&mut release);
            account.stale = account.stale.min(account.parked.len());
            if !account.parked.is_empty() {
                let at = account.bucket.when(rate, TURN * (turns + 1)).max(now);
                self.wake_at(at + std::time::Duration::from_millis(1), peer);
            }
        }
    }

    /// When to look for those who may have some more.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.wakes.peek().map(|Reverse((at, _))| *at)
    }

    /// Forgets those who have gone and would be as new if they came again.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.peers.retain(|_, account| account.clients > 0 || !account.bucket.is_full(now));
    }

    /// Whether there is anybody who may be forgotten later.
    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    fn wake_at(&mut self, at: Instant, peer: Peer) {
        self.wakes_made += 1;
        self.wakes.push(Reverse((at, self.wakes_made)));
        self.waking.insert(self.wakes_made, peer);
    }
}

/// The peer has as many clients as one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;
