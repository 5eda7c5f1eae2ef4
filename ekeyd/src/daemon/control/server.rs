//! The control socket's listeners and clients.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ekey_control::{Command, Reply};
use mio::event::Event;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::client::{Client, Next};
use super::link::{ControlLink, socket_for};
use super::peer::{Kind, Peer};
use super::places::{ALL_PLACES, to_evict};
use crate::log_limit::LogLimit;
use crate::socket::{Access, Doorman, ListenError, Listener, Stream};

/// Limit of listeners: more are a mistake.
const MOST_LISTENERS: usize = 32;
/// Limit of connections to accept from a listener in one turn of the event loop: fewer than a kind has places, so that a client can
/// say something before others take its place.
const ACCEPTS_AT_ONCE: usize = 8;
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Serves the control sockets, and the read-only TCP ports if any are configured.
pub(crate) struct Server {
    /// The unix sockets, then the read-only ports.
    doormen: Vec<Doorman>,
    /// The first unix socket, which messages name.
    path: PathBuf,
    clients: Slab<Client>,
    /// The log of evictions, for each [`Kind`].
    evictions: [LogLimit; Kind::COUNT],
    first_token: usize,
    _links: Vec<ControlLink>,
}

/// A command that waits for the daemon's reply.
pub(crate) struct Asked {
    client: usize,
    /// The command.
    pub command: Command,
}

impl Server {
    /// Listens at `paths`, at least one, open to the daemon's user and group, and at `ports` of 127.0.0.1. The ports are read-only
    /// because TCP does not identify the user. The server uses [`TOKENS`](Self::TOKENS) tokens from `first_token` on.
    ///
    /// # Errors
    /// [`ListenError`] names the obstacle.
    pub(crate) fn start(
        paths: &[PathBuf],
        ports: &[u16],
        registry: &Registry,
        first_token: usize,
    ) -> Result<Self, ListenError> {
        let paths: Vec<&Path> = paths.iter().map(|path| socket_for(path)).collect();
        let path = paths.first().map_or_else(PathBuf::new, |path| path.to_path_buf());
        let mut listeners = Vec::new();
        for path in &paths {
            listeners.push((Listener::unix(path, Access::default())?, path.display().to_string()));
        }
        for port in ports {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            listeners.push((Listener::tcp(address)?, address.to_string()));
            tracing::info!("{address} is read-only; send commands that change something to {}", path.display());
        }
        if listeners.len() > MOST_LISTENERS {
            let source = io::Error::other(format!("more than {MOST_LISTENERS} control sockets are configured"));
            return Err(ListenError::Refused { place: path.display().to_string(), source });
        }
        let mut doormen = Vec::new();
        for (mut listener, place) in listeners {
            registry
                .register(&mut listener, Token(first_token + doormen.len()), Interest::READABLE)
                .map_err(|source| ListenError::Refused { place: place.clone(), source })?;
            doormen.push(Doorman::new(listener, place));
        }
        Ok(Self {
            doormen,
            _links: paths.into_iter().filter_map(ControlLink::make).collect(),
            path,
            clients: Slab::new(),
            evictions: Default::default(),
            first_token,
        })
    }

    /// The count of tokens that it uses.
    pub(crate) const TOKENS: usize = MOST_LISTENERS + ALL_PLACES;

    /// Returns the path of the unix socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Handles an event on one of the server's tokens. Returns a client's command, which the daemon must
    /// [`answer`](Self::answer) before the next event.
    pub(crate) fn handle(&mut self, event: &Event, registry: &Registry) -> Option<Asked> {
        let place = event.token().0 - self.first_token;
        match place.checked_sub(MOST_LISTENERS) {
            None => {
                // The event loop accepts when it goes on.
                self.doormen.get_mut(place)?.note_event(Instant::now());
                None
            }
            Some(id) => {
                self.clients.get_mut(id)?.set_readable();
                self.listen_to(id, registry)
            }
        }
    }

    /// Sends the reply to a command.
    pub(crate) fn answer(&mut self, asked: &Asked, reply: &Reply, registry: &Registry) {
        if let Some(client) = self.clients.get_mut(asked.client) {
            client.answer(reply);
            self.go_on_later(asked.client, registry);
        }
    }

    /// Accepts connections that wait, and those that could not be accepted before.
    pub(crate) fn go_on(&mut self, now: Instant, registry: &Registry) {
        for place in 0..self.doormen.len() {
            for _ in 0..ACCEPTS_AT_ONCE {
                if !self.doormen[place].wants_turn(now) {
                    break;
                }
                let Some(stream) = self.doormen[place].accept(now) else { break };
                if let Err(error) = self.admit(stream, place, registry, now) {
                    self.doormen[place].fail(&error, now);
                    break;
                }
            }
        }
    }

    /// Returns when to [go on](Self::go_on) without an event.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.doormen.iter().filter_map(Doorman::next_wake).min()
    }

    /// Sends replies without blocking.
    pub(crate) fn flush(&mut self) {
        for (_, client) in &mut self.clients {
            let _ = client.next();
        }
    }

    /// Admits a client that came to the listener at `place`. If no place is left for its kind, closes another's connection.
    ///
    /// # Errors
    /// The system cannot watch the connection.
    fn admit(&mut self, mut stream: Stream, place: usize, registry: &Registry, now: Instant) -> io::Result<()> {
        let peer = Peer::of(&stream);
        if let Some(id) = to_evict(&self.clients, peer) {
            let evicted = self.clients.remove(id).peer;
            if let Some(more) = self.evictions[peer.kind() as usize].admit(now) {
                let place = self.doormen[place].place();
                tracing::warn!("{place}: too many connections: closed one of {evicted} for a new one{more}");
            }
        }
        let entry = self.clients.vacant_entry();
        let token = Token(self.first_token + MOST_LISTENERS + entry.key());
        registry.register(&mut stream, token, INTEREST)?;
        entry.insert(Client::new(stream, peer));
        Ok(())
    }

    /// Reads one line from a client. Returns the command if the client may give it, and answers anything else itself.
    fn listen_to(&mut self, id: usize, registry: &Registry) -> Option<Asked> {
        let client = self.clients.get_mut(id)?;
        let reply = match client.next() {
            Next::Event => return None,
            Next::Close => {
                self.clients.remove(id);
                return None;
            }
            Next::TooLong => Reply::error("a line has at most 4096 bytes"),
            Next::Line(line) => match Command::parse(line) {
                Ok(Some(command)) if command.is_read_only() || client.peer == Peer::Master => {
                    return Some(Asked { client: id, command });
                }
                Ok(Some(_)) => Reply::error(format!(
                    "only root and the daemon's own user may change anything, and only at {}",
                    self.path.display()
                )),
                Ok(None) => Reply::ok(),
                Err(error) => Reply::error(error),
            },
        };
        client.answer(&reply);
        self.go_on_later(id, registry);
        None
    }

    /// Makes the event loop return to a client without new input: to send its reply and to read its buffered lines.
    fn go_on_later(&mut self, id: usize, registry: &Registry) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let token = Token(self.first_token + MOST_LISTENERS + id);
        if registry.reregister(&mut client.stream, token, INTEREST).is_err() {
            self.clients.remove(id);
        }
    }
}
