//! The listeners, the clients, and the queue of those that wait.

use std::io;

use ekey_control::status::EgdStatus;
use mio::event::Event;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::client::{Client, Means, Need, Served};
use super::open_files;
use super::queue::{Queue, Ticket};
use crate::config::{self, Listen};
use crate::pool::Pool;
use crate::socket::{Access, ListenError, Listener, Stream};

/// How many bytes a waiting client gets before it is the next one's turn.
pub(super) const TURN: usize = 64;
/// Turns before anything else is looked at.
const TURNS_AT_ONCE: usize = 256;
/// Connections taken from one listener before anything else is looked at.
const ACCEPTS_AT_ONCE: usize = 32;
/// Room for what is gathered for one client before it is sent: see there.
const OUTPUT_ROOM: usize = 2048;

/// The EGD server.
pub(crate) struct Server {
    listeners: Vec<Listening>,
    clients: Slab<Client>,
    /// Clients that have been here.
    admitted: u64,
    queue: Queue,
    /// Answers on their way; empty between two clients.
    output: Vec<u8>,
    max_clients: usize,
    first_token: usize,
}

struct Listening {
    listener: Listener,
    shown: String,
    clients: u64,
    waiting: u64,
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
            listeners.push(Listening {
                listener,
                shown,
                clients: 0,
                waiting: 0,
                served: Served::default(),
                refused: 0,
                pending: true,
                stalled: false,
            });
        }
        let max_clients = config.max_clients;
        if !listeners.is_empty() {
            open_files::allow(max_clients);
        }
        let output = Vec::with_capacity(OUTPUT_ROOM);
        let (clients, queue) = (Slab::new(), Queue::default());
        Ok(Self { listeners, clients, admitted: 0, queue, output, max_clients, first_token })
    }

    /// Deals with an event on one of the server's tokens.
    pub(crate) fn handle(&mut self, event: &Event, registry: &Registry, pool: &mut Pool) {
        let place = event.token().0 - self.first_token;
        if let Some(listening) = self.listeners.get_mut(place) {
            listening.pending = true;
            self.accept(place, registry, pool);
        } else if let Some(client) = self.clients.get_mut(place - self.listeners.len()) {
            if event.is_readable() || event.is_read_closed() {
                client.set_readable(event.is_read_closed());
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
        for _ in 0..TURNS_AT_ONCE {
            if pool.len() == 0 {
                return;
            }
            let Some(ticket) = self.queue.pop() else { return };
            let Some(client) = self.clients.get_mut(ticket.place) else { continue };
            if client.number != ticket.number {
                continue;
            }
            let listening = &mut self.listeners[client.listener as usize];
            client.queued = false;
            listening.waiting -= 1;
            let means = Means { pool, served: &mut listening.served, output: &mut self.output };
            let need = client.give(TURN, means);
            self.heed(ticket.place, need, registry);
        }
    }

    /// Whether there is something to do at once: connections to be taken, or clients to be served from `pool`.
    pub(crate) fn is_pending(&self, pool: &Pool) -> bool {
        self.listeners.iter().any(|listening| listening.pending || (listening.waiting > 0 && pool.len() > 0))
    }

    /// Whether there is anybody to serve at all.
    pub(crate) fn is_on(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// The server as people and programs get to see it.
    pub(crate) fn status(&self) -> Vec<EgdStatus> {
        let status = |listening: &Listening| EgdStatus {
            listen: listening.shown.clone(),
            clients: listening.clients,
            requests: listening.served.requests,
            served_bytes: listening.served.bytes,
            waiting: listening.waiting,
            refused: listening.refused,
        };
        self.listeners.iter().map(status).collect()
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
        registry.register(&mut stream, token, Interest::READABLE)?;
        let id = entry.key();
        self.admitted += 1;
        entry.insert(Client::new(stream, place as u32, self.admitted, self.queue.entrance()));
        self.listeners[place].clients += 1;
        Ok(id)
    }

    fn proceed(&mut self, id: usize, registry: &Registry, pool: &mut Pool) {
        let client = &mut self.clients[id];
        let served = &mut self.listeners[client.listener as usize].served;
        let need = client.proceed(Means { pool, served, output: &mut self.output });
        self.heed(id, need, registry);
    }

    fn heed(&mut self, id: usize, need: Need, registry: &Registry) {
        let token = Token(self.first_token + self.listeners.len() + id);
        let client = &mut self.clients[id];
        let listening = &mut self.listeners[client.listener as usize];
        // Most clients never need to be watched for room, and each watch costs a wake-up for every answer that is read.
        if (need == Need::Room) != client.watched_for_room && need != Need::Close {
            let interest =
                if need == Need::Room { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            if registry.reregister(&mut client.stream, token, interest).is_err() {
                return self.remove(id, registry);
            }
            client.watched_for_room = need == Need::Room;
        }
        match need {
            Need::Input | Need::Room => {}
            Need::Entropy if client.queued => {}
            Need::Entropy => {
                client.queued = true;
                listening.waiting += 1;
                self.queue.push(Ticket { place: id, number: client.number }, &mut client.mark);
            }
            Need::Close => self.remove(id, registry),
        }
    }

    /// Lets go of a client. What the queue knows of it is passed over when its turn comes.
    fn remove(&mut self, id: usize, registry: &Registry) {
        let mut client = self.clients.remove(id);
        let listening = &mut self.listeners[client.listener as usize];
        listening.clients -= 1;
        listening.waiting -= u64::from(client.queued);
        // It is closed in the next moment, which ends the watch as well.
        let _ = registry.deregister(&mut client.stream);
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
