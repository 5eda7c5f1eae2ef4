//! The listeners, the clients, and the queue of those that wait.

use std::collections::VecDeque;
use std::io;

use ekey_control::status::EgdStatus;
use mio::event::Event;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::client::{Client, Need, Served};
use crate::config::{self, Listen};
use crate::pool::Pool;
use crate::socket::{Access, ListenError, Listener, Stream};

/// How many bytes a waiting client gets before it is the next one's turn.
const TURN: usize = 64;
/// Connections taken from one listener before anything else is looked at.
const ACCEPTS_AT_ONCE: usize = 256;

/// The EGD server.
pub(crate) struct Server {
    listeners: Vec<Listening>,
    clients: Slab<Client>,
    waiting: VecDeque<usize>,
    /// Clients that are to go on when the others have had their turn.
    unfinished: VecDeque<usize>,
    max_clients: usize,
    first_token: usize,
}

struct Listening {
    listener: Listener,
    shown: String,
    clients: u64,
    served: Served,
    refused: u64,
    /// Whether connections may be waiting that have not been looked at.
    pending: bool,
    /// Whether the last one could not be taken, mostly for lack of descriptors.
    stalled: bool,
}

impl Server {
    /// Listens wherever the configuration says. The server's tokens are `first_token` and those above.
    ///
    /// # Errors
    /// [`ListenError`] for the first place where it cannot.
    pub(crate) fn start(config: &config::Egd, registry: &Registry, first_token: usize) -> Result<Self, ListenError> {
        let mut listeners = Vec::new();
        for listen in &config.listen {
            let mut listener = match listen {
                Listen::Tcp(address) => Listener::tcp(*address)?,
                Listen::Unix { path, mode, user, group } => {
                    Listener::unix(path, Access { mode: *mode, user: user.as_deref(), group: group.as_deref() })?
                }
            };
            let shown = listen.to_string();
            registry
                .register(&mut listener, Token(first_token + listeners.len()), Interest::READABLE)
                .map_err(|source| ListenError::Refused { place: shown.clone(), source })?;
            let (served, clients, refused) = (Served::default(), 0, 0);
            listeners.push(Listening { listener, shown, clients, served, refused, pending: true, stalled: false });
        }
        let max_clients = config.max_clients;
        Ok(Self {
            listeners,
            clients: Slab::new(),
            waiting: VecDeque::new(),
            unfinished: VecDeque::new(),
            max_clients,
            first_token,
        })
    }

    /// Deals with an event on one of the server's tokens.
    pub(crate) fn handle(&mut self, event: &Event, registry: &Registry, pool: &mut Pool) {
        let place = event.token().0 - self.first_token;
        if let Some(listening) = self.listeners.get_mut(place) {
            listening.pending = true;
            self.accept(place, registry, pool);
        } else if let Some(client) = self.clients.get_mut(place - self.listeners.len()) {
            if event.is_readable() || event.is_read_closed() {
                client.set_readable();
            }
            if event.is_write_closed() || event.is_error() {
                client.set_vanished();
            }
            self.proceed(place - self.listeners.len(), registry, pool);
        }
    }

    /// Gives the pool's bytes to those that wait, in turn, until there are no more of either. Takes further connections, if
    /// there were too many at once before.
    pub(crate) fn serve(&mut self, registry: &Registry, pool: &mut Pool) {
        for place in 0..self.listeners.len() {
            if self.listeners[place].pending || self.listeners[place].stalled {
                self.accept(place, registry, pool);
            }
        }
        for _ in 0..self.unfinished.len() {
            let Some(id) = self.unfinished.pop_front() else { break };
            if let Some(client) = self.clients.get_mut(id) {
                client.unfinished = false;
                self.proceed(id, registry, pool);
            }
        }
        while pool.len() > 0 {
            let Some(id) = self.waiting.pop_front() else { return };
            let Some(client) = self.clients.get_mut(id) else { continue };
            client.queued = false;
            client.give(TURN, pool, &mut self.listeners[client.listener].served);
            self.proceed(id, registry, pool);
        }
    }

    /// How many bytes its clients wait for; not counted on once it is `enough`.
    pub(crate) fn wanted(&self, enough: usize) -> usize {
        let mut sum = 0;
        let clients = self.waiting.iter().filter_map(|id| self.clients.get(*id));
        for client in clients {
            sum += client.wanted();
            if sum >= enough {
                break;
            }
        }
        sum
    }

    /// Whether there is more to do at once.
    pub(crate) fn is_pending(&self) -> bool {
        !self.unfinished.is_empty() || self.listeners.iter().any(|listening| listening.pending)
    }

    /// Whether there is anybody to serve at all.
    pub(crate) fn is_on(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// The server as people and programs get to see it.
    pub(crate) fn status(&self) -> Vec<EgdStatus> {
        let waiting_at = |place| {
            let here = |(_, client): &(usize, &Client)| client.queued && client.listener == place;
            self.clients.iter().filter(here).count() as u64
        };
        let status = |(place, listening): (usize, &Listening)| EgdStatus {
            listen: listening.shown.clone(),
            clients: listening.clients,
            requests: listening.served.requests,
            served_bytes: listening.served.bytes,
            waiting: waiting_at(place),
            refused: listening.refused,
        };
        self.listeners.iter().enumerate().map(status).collect()
    }

    fn accept(&mut self, place: usize, registry: &Registry, pool: &mut Pool) {
        for _ in 0..ACCEPTS_AT_ONCE {
            let stream = match self.listeners[place].listener.accept() {
                Ok(Some(stream)) => stream,
                Ok(None) => return self.listeners[place].rest(),
                Err(error) => return self.listeners[place].stall(&error),
            };
            self.listeners[place].stalled = false;
            if self.clients.len() >= self.max_clients {
                self.listeners[place].refused += 1;
                continue;
            }
            match self.admit(stream, place, registry) {
                Ok(id) => self.proceed(id, registry, pool),
                Err(error) => return self.listeners[place].stall(&error),
            }
        }
    }

    fn admit(&mut self, mut stream: Stream, place: usize, registry: &Registry) -> io::Result<usize> {
        let entry = self.clients.vacant_entry();
        let token = Token(self.first_token + self.listeners.len() + entry.key());
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let id = entry.key();
        entry.insert(Client::new(stream, place));
        self.listeners[place].clients += 1;
        Ok(id)
    }

    fn proceed(&mut self, id: usize, registry: &Registry, pool: &mut Pool) {
        let client = &mut self.clients[id];
        match client.proceed(pool, &mut self.listeners[client.listener].served) {
            Need::Event => {}
            Need::Turn => {
                if !std::mem::replace(&mut client.unfinished, true) {
                    self.unfinished.push_back(id);
                }
            }
            Need::Entropy => {
                if !client.queued {
                    client.queued = true;
                    self.waiting.push_back(id);
                }
            }
            Need::Close => {
                let mut client = self.clients.remove(id);
                self.listeners[client.listener].clients -= 1;
                if client.queued {
                    self.waiting.retain(|waiting| *waiting != id);
                }
                if client.unfinished {
                    self.unfinished.retain(|unfinished| *unfinished != id);
                }
                // It is closed in the next moment, which ends the watch as well.
                let _ = registry.deregister(&mut client.stream);
            }
        }
    }
}

impl Listening {
    fn rest(&mut self) {
        self.pending = false;
        self.stalled = false;
    }

    /// Lets connections wait until there is something else to do, and says so once.
    fn stall(&mut self, error: &io::Error) {
        if !self.stalled {
            tracing::warn!("{}: cannot take a connection: {error}; is the limit of open files too low?", self.shown);
        }
        self.pending = false;
        self.stalled = true;
    }
}
