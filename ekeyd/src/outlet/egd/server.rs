//! The listeners, the clients, and their turns.

mod forgetting;
mod handshakes;
#[cfg(feature = "tls")]
mod sessions;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use ekey_control::status::{EgdStatus, PeerStatus, TOP_PEERS};
use ekey_egd::{FairQueue, PeerLimits, Request};
use mio::event::Event;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::client::{Client, ClientSupply, Need, Ticket, Waits};
use super::fresh::Freshener;
use super::guard::{Guard, Peer};
use super::listening::Listening;
use super::offer::{Offers, RANDOM};
use super::store::Store;
use super::takers::Takers;
use crate::config::{self, Listen};
use crate::hypervisor;
use crate::socket::{Access, Doorman, ListenError, Listener, Stream};
use handshakes::HalfOpen;

/// Turns before the event loop goes on.
const TURNS_AT_ONCE: usize = 256;
/// Connections accepted from one listener before the event loop goes on: few, because the clients wait meanwhile, and each costs
/// at least as much as an answer.
const ACCEPTS_AT_ONCE: usize = 2;
/// Bytes that may wait in the kernel for a client that does not read.
const MOST_UNREAD: usize = 16 * 1024;
/// How often the server looks for peers that have left, and for sessions that must end: the clock may be set meanwhile.
const SWEEP: Duration = Duration::from_secs(60);

/// The EGD server.
pub(crate) struct Server {
    listeners: Vec<Listening>,
    clients: Slab<Client>,
    /// Clients admitted since the start.
    admitted: u64,
    queue: FairQueue<Ticket>,
    guard: Guard,
    peers: PeerLimits<Peer, Ticket>,
    takers: Takers,
    offers: Offers,
    /// Clients that continue after the others have had their turn.
    unfinished: VecDeque<Ticket>,
    half_open: HalfOpen,
    #[cfg(feature = "tls")]
    acceptor: Option<crate::socket::tls::Acceptor>,
    /// Whether the authorities are others than those that open sessions began with.
    #[cfg(feature = "tls")]
    has_other_authorities: bool,
    /// What mixes fresh bytes into those that leave, if anything does.
    fresh: Option<Freshener>,
    max_clients: usize,
    idle: Option<Duration>,
    next_sweep: Instant,
    started: Instant,
    first_token: usize,
}

impl Server {
    /// Listens at each configured place. The server's tokens are `first_token` and those above.
    ///
    /// # Errors
    /// [`ListenError`] for the first place that fails.
    pub(crate) fn start(config: &config::Egd, registry: &Registry, first_token: usize) -> Result<Self, ListenError> {
        let mut listeners = Vec::new();
        for listen in &config.listen {
            let mut listener = match listen {
                Listen::Tcp(address) | Listen::Tls(address) => Listener::tcp(*address)?,
                Listen::Unix { path, mode, user, group } => {
                    Listener::unix(path, Access { mode: *mode, user: user.as_deref(), group: group.as_deref() })?
                }
            };
            let shown = listen.to_string();
            registry
                .register(&mut listener, Token(first_token + listeners.len()), Interest::READABLE)
                .map_err(|source| ListenError::Refused { place: shown.clone(), source })?;
            listeners.push(Listening::new(Doorman::new(listener, shown), matches!(listen, Listen::Tls(_))));
        }
        let now = Instant::now();
        Ok(Self {
            listeners,
            clients: Slab::new(),
            admitted: 0,
            queue: FairQueue::new(),
            unfinished: VecDeque::new(),
            half_open: HalfOpen::new(config.handshake),
            #[cfg(feature = "tls")]
            acceptor: config.tls.as_ref().map(crate::socket::tls::Acceptor::open).transpose()?,
            #[cfg(feature = "tls")]
            has_other_authorities: false,
            guard: Guard::new(&config.limits)?,
            peers: PeerLimits::new(config.limits.clients_per_peer, config.limits.rate_per_peer),
            takers: Takers::default(),
            offers: if config.mix_offered { Offers::to(Path::new(RANDOM)) } else { Offers::default() },
            fresh: config.clone_safe.unwrap_or_else(hypervisor::is_seen).then(Freshener::default),
            max_clients: config.max_clients,
            idle: config.limits.idle,
            next_sweep: now,
            started: now,
            first_token,
        })
    }

    /// Handles an event on one of the server's tokens.
    pub(crate) fn handle(&mut self, event: &Event, registry: &Registry, store: &mut dyn Store) {
        let place = event.token().0 - self.first_token;
        let now = Instant::now();
        if let Some(listening) = self.listeners.get_mut(place) {
            listening.doorman.note_event(now);
            self.accept(place, registry, store, now);
        } else if let Some(client) = self.clients.get_mut(place - self.listeners.len()) {
            if event.is_readable() || event.is_read_closed() {
                client.set_readable(event.is_read_closed());
            }
            if event.is_write_closed() || event.is_error() {
                client.set_vanished();
            }
            self.proceed(place - self.listeners.len(), registry, store, now);
        }
    }

    /// Gives up to `grant` bytes to the waiting clients in turn, with a limit on turns: to each all that it waits for, so that a client
    /// may have to wait until there is enough. Accepts connections that had to wait, and closes idle ones.
    pub(crate) fn serve(&mut self, registry: &Registry, store: &mut dyn Store, grant: usize) {
        let now = Instant::now();
        self.shake_hands(registry, store, now);
        for place in 0..self.listeners.len() {
            if self.listeners[place].doorman.wants_turn(now) {
                self.accept(place, registry, store, now);
            }
        }
        self.sweep(registry, now);
        let Self { peers, clients, queue, .. } = self;
        peers.released(now, |ticket| {
            let client = find(clients, ticket);
            client
                .map(|client| {
                    client.waits = Waits::TurnAgain;
                    queue.push(ticket, &mut client.mark);
                })
                .is_some()
        });
        for _ in 0..self.unfinished.len() {
            let Some(ticket) = self.unfinished.pop_front() else { break };
            if let Some(client) = find(&mut self.clients, ticket) {
                client.unfinished = false;
                self.proceed(ticket.place, registry, store, now);
            }
        }
        let mut left = grant;
        for _ in 0..TURNS_AT_ONCE {
            let Self { queue, clients, .. } = self;
            let Some(ticket) = queue.next(|ticket| is_live(clients, ticket)) else { return };
            if clients[ticket.place].wanted() > left.min(store.held()) {
                return;
            }
            queue.pop(|ticket| is_live(clients, ticket));
            left = left.saturating_sub(self.take_turn(ticket, registry, store, now));
        }
    }

    /// Returns whether there is work to do at once: connections to accept, or clients to serve from `bytes`.
    pub(crate) fn is_pending(&self, bytes: usize) -> bool {
        !self.unfinished.is_empty()
            || self.half_open.is_pending()
            || self.listeners.iter().any(|listening| listening.doorman.is_pending(Instant::now()))
            || self.queue.peek().is_some_and(|next| {
                // One that has gone is discarded in the next turn.
                !is_live(&self.clients, next) || self.clients[next.place].wanted() <= bytes
            })
    }

    /// Returns how many bytes its clients wait for. Stops counting at `enough`.
    pub(crate) fn wanted(&self, enough: usize) -> usize {
        let mut sum = 0;
        for ticket in self.queue.iter() {
            sum += if is_live(&self.clients, ticket) { self.clients[ticket.place].wanted() } else { 0 };
            if sum >= enough {
                break;
            }
        }
        sum
    }

    /// Returns when to [serve](Self::serve) although nothing happens.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let has_sessions = self.listeners.iter().any(|listening| listening.is_tls && listening.clients > 0);
        let sweeps = (self.idle.is_some() && !self.clients.is_empty()) || self.peers.may_forget() || has_sessions;
        let own = [self.peers.next_wake(), sweeps.then_some(self.next_sweep), self.half_open.next_wake()];
        let doormen = self.listeners.iter().filter_map(|listening| listening.doorman.next_wake());
        own.into_iter().flatten().chain(doormen).min()
    }

    /// Returns whether it has a listener.
    pub(crate) fn is_on(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Returns how many bytes that clients offered were mixed into the kernel.
    pub(crate) fn mixed_bytes(&self) -> u64 {
        self.offers.mixed
    }

    /// Returns the peers that took the most. `outlet` is this server's name.
    pub(crate) fn top_peers(&self, outlet: &str) -> Vec<PeerStatus> {
        self.takers.top(TOP_PEERS, outlet, self.clients.iter().map(|(_, client)| client.peer))
    }

    /// Returns the status of each listener.
    pub(crate) fn status(&self) -> Vec<EgdStatus> {
        let mut unsent = vec![(0, 0); self.listeners.len()];
        for (_, client) in &self.clients {
            let (bytes, half_open) = &mut unsent[client.listener as usize];
            *bytes += client.unsent();
            *half_open += u64::from(client.half_open);
        }
        #[cfg(feature = "tls")]
        let certificate = self.acceptor.as_ref().map(crate::socket::tls::Acceptor::status);
        #[cfg(not(feature = "tls"))]
        let certificate = None;
        let status = |(listening, (unsent, half_open)): (&Listening, _)| {
            listening.status(unsent, half_open, certificate.clone().filter(|_| listening.is_tls))
        };
        self.listeners.iter().zip(unsent).map(status).collect()
    }

    fn accept(&mut self, place: usize, registry: &Registry, store: &mut dyn Store, now: Instant) {
        for _ in 0..ACCEPTS_AT_ONCE {
            if self.listeners[place].is_tls && !self.has_room_for_handshake() {
                return self.listeners[place].doorman.hold();
            }
            let Some(stream) = self.listeners[place].doorman.accept(now) else { return };
            match self.admit(stream, place, registry, now) {
                Ok(Some(id)) => self.proceed(id, registry, store, now),
                Ok(None) => {}
                Err(error) => return self.listeners[place].doorman.fail(&error, now),
            }
        }
    }

    /// Admits a connection as a client. Returns its place, `None` at a limit.
    ///
    /// # Errors
    /// The system cannot watch the connection.
    fn admit(
        &mut self,
        mut stream: Stream,
        place: usize,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<Option<usize>> {
        if !self.guard.admits(&stream) {
            self.listeners[place].turned_away.not_allowed += 1;
            return Ok(None);
        }
        let peer = Peer::of(&stream);
        if self.peers.admit(peer, now).is_err() {
            self.listeners[place].turned_away.too_many += 1;
            return Ok(None);
        }
        if self.clients.len() >= self.max_clients && !self.make_room(peer, registry, now) {
            self.peers.leave(peer, false, now, |_| true);
            self.listeners[place].turned_away.too_many += 1;
            return Ok(None);
        }
        stream.settle(MOST_UNREAD);
        let id = self.clients.vacant_key();
        let token = Token(self.first_token + self.listeners.len() + id);
        let secured = if self.listeners[place].is_tls { self.secure(stream) } else { Ok(stream) };
        let registered = secured.and_then(|mut stream| {
            registry.register(&mut stream, token, Interest::READABLE)?;
            Ok(stream)
        });
        let stream = registered.inspect_err(|_| self.peers.leave(peer, false, now, |_| true))?;
        self.admitted += 1;
        let client = Client::new(stream, place as u32, self.admitted, self.queue.entrance(), peer);
        if client.half_open {
            self.half_open.enter(Ticket { place: id, number: client.number }, now);
        }
        self.clients.insert(client);
        self.listeners[place].clients += 1;
        Ok(Some(id))
    }

    /// Closes a client of the peer with the most clients, if that is not `newcomer`: one peer must not keep the others out. Takes
    /// the one that has been silent for the longest time, and if it can, one that waits for nothing. Returns whether there is room.
    fn make_room(&mut self, newcomer: Peer, registry: &Registry, now: Instant) -> bool {
        let Some(largest) = self.peers.larger_than(newcomer) else { return false };
        let of_largest = self.clients.iter().filter(|(_, client)| client.peer == largest);
        let Some((id, client)) = of_largest.min_by_key(|(_, client)| (!client.is_idle(), client.touched)) else {
            return false;
        };
        self.listeners[client.listener as usize].turned_away.too_many += 1;
        self.remove(id, registry, now);
        true
    }

    /// Continues with a client after an event.
    fn proceed(&mut self, id: usize, registry: &Registry, store: &mut dyn Store, now: Instant) {
        let client = &mut self.clients[id];
        client.touched = seconds(now.duration_since(self.started));
        if client.half_open {
            if !std::mem::replace(&mut client.unfinished, true) {
                self.half_open.note(Ticket { place: id, number: client.number });
            }
            return;
        }
        self.go_on(id, None, registry, store, now);
    }

    /// Gives the client whose turn it is all the bytes that it waits for, if its peer may have them. Returns how many.
    fn take_turn(&mut self, ticket: Ticket, registry: &Registry, store: &mut dyn Store, now: Instant) -> usize {
        let client = &mut self.clients[ticket.place];
        let is_released = client.waits == Waits::TurnAgain;
        let allowance = match is_released {
            true => self.peers.allowance_of_released(client.peer, now),
            false => self.peers.allowance(client.peer, now),
        };
        if allowance < client.wanted() {
            client.waits = Waits::Rate;
            self.peers.park(client.peer, ticket, client.wanted(), is_released);
            return 0;
        }
        client.waits = Waits::No;
        self.listeners[client.listener as usize].waiting -= 1;
        let held = store.held();
        self.go_on(ticket.place, Some(allowance), registry, store, now);
        held.saturating_sub(store.held())
    }

    /// Continues with a client until it has to wait. If it is its `turn`, it may have the bytes that it waits for: that is how many its
    /// peer may have.
    fn go_on(&mut self, id: usize, turn: Option<usize>, registry: &Registry, store: &mut dyn Store, now: Instant) {
        let Self { clients, listeners, peers, takers, offers, queue, fresh, .. } = self;
        let client = &mut clients[id];
        let served = &mut listeners[client.listener as usize].served;
        let before = served.entropy;
        let mut supply = ClientSupply {
            store,
            offers,
            fresh: fresh.as_mut(),
            has_turn: turn.is_some(),
            // Requests that do not wait must not take what another client's request is waiting to have in one piece.
            reserved: if queue.is_empty() { 0 } else { Request::MOST_BYTES },
            allowance: turn.unwrap_or_else(|| peers.allowance(client.peer, now)),
        };
        let need = client.go_on(&mut supply, served);
        let given = served.entropy - before;
        client.mark.move_on(given);
        peers.spend(client.peer, given, now);
        takers.add(client.peer, given);
        self.note_handshake(id, now);
        self.meet(id, need, registry, now);
    }

    /// Makes a client wait for what it needs next.
    fn meet(&mut self, id: usize, need: Need, registry: &Registry, now: Instant) {
        let token = Token(self.first_token + self.listeners.len() + id);
        let client = &mut self.clients[id];
        // Most clients never wait for room, and watching for it costs a wake-up for every answer that is read.
        let room = need == Need::Room || client.stream.has_unsent();
        if room != client.watched_for_room && need != Need::Close {
            let interest = if room { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            if registry.reregister(&mut client.stream, token, interest).is_err() {
                return self.remove(id, registry, now);
            }
            client.watched_for_room = room;
        }
        match need {
            Need::Input | Need::Room => {}
            Need::Again => {
                if !std::mem::replace(&mut client.unfinished, true) {
                    self.unfinished.push_back(Ticket { place: id, number: client.number });
                }
            }
            Need::Entropy if client.waits != Waits::No => {}
            Need::Entropy => {
                client.waits = Waits::Turn;
                self.listeners[client.listener as usize].waiting += 1;
                self.queue.push(Ticket { place: id, number: client.number }, &mut client.mark);
            }
            Need::Close => self.remove(id, registry, now),
        }
    }

    /// Closes a client's connection.
    fn remove(&mut self, id: usize, registry: &Registry, now: Instant) {
        let mut client = self.clients.remove(id);
        self.note_failed_handshake(&client, now);
        let listening = &mut self.listeners[client.listener as usize];
        listening.clients -= 1;
        client.close(&mut listening.served);
        listening.waiting -= u64::from(client.waits != Waits::No);
        let clients = &self.clients;
        if matches!(client.waits, Waits::Turn | Waits::TurnAgain) {
            self.queue.abandon(|ticket| is_live(clients, ticket));
        }
        self.peers.leave(client.peer, client.waits == Waits::Rate, now, |ticket| is_live(clients, ticket));
        // Dropping it closes it, which ends the watch as well.
        let _ = registry.deregister(&mut client.stream);
    }

    /// From time to time, closes idle clients, ends TLS sessions, and forgets peers that have left.
    fn sweep(&mut self, registry: &Registry, now: Instant) {
        if now < self.next_sweep {
            return;
        }
        self.peers.sweep(now);
        self.next_sweep = now + self.idle.map_or(SWEEP, |idle| (idle / 4).clamp(Duration::from_millis(250), SWEEP));
        #[cfg(feature = "tls")]
        self.end_sessions(registry, now);
        let Some(idle) = self.idle else { return };
        let now_s = seconds(now.duration_since(self.started));
        let is_late = |client: &Client| client.is_idle() && now_s.saturating_sub(client.touched) >= seconds(idle);
        let late: Vec<usize> = self.clients.iter().filter(|(_, client)| is_late(client)).map(|(id, _)| id).collect();
        for id in late {
            self.listeners[self.clients[id].listener as usize].turned_away.idle += 1;
            self.remove(id, registry, now);
        }
    }
}

/// Returns whether the client is still connected.
fn is_live(clients: &Slab<Client>, ticket: Ticket) -> bool {
    clients.get(ticket.place).is_some_and(|client| client.number == ticket.number)
}

/// Returns the client, unless it has left.
fn find(clients: &mut Slab<Client>, ticket: Ticket) -> Option<&mut Client> {
    clients.get_mut(ticket.place).filter(|client| client.number == ticket.number)
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
