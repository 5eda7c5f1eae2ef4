//! The HTTP listener, its connections, and their deadlines.

use std::io;
#[cfg(feature = "demo")]
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::answer;
use super::client::{Client, Next};
use super::hosts::Hosts;
use super::request::{Refusal, Request};
use crate::config;
use crate::socket::{Doorman, ListenError, Listener, Stream};

/// Limit of connections. Another one replaces the oldest without a request, else the oldest.
const MOST_CLIENTS: usize = 32;
/// Limit of a connection's duration.
const PATIENCE: Duration = Duration::from_secs(10);
/// Limit of connections to accept in one turn of the event loop.
const ACCEPTS_AT_ONCE: usize = 64;
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Serves HTTP.
pub(crate) struct Server {
    doorman: Doorman,
    #[cfg(feature = "demo")]
    address: SocketAddr,
    hosts: Hosts,
    clients: Slab<Client>,
    first_token: usize,
}

/// A request that waits for the daemon's response.
pub(crate) struct Asked {
    client: usize,
    /// The request.
    pub(crate) request: Request,
}

impl Server {
    /// The count of tokens that it uses.
    pub(crate) const TOKENS: usize = 1 + MOST_CLIENTS;

    /// Listens at the configured address. The server uses [`TOKENS`](Self::TOKENS) tokens from `first_token` on.
    ///
    /// # Errors
    /// [`ListenError`] names the obstacle.
    pub(crate) fn start(config: &config::Http, registry: &Registry, first_token: usize) -> Result<Self, ListenError> {
        let address = config.listen;
        let refused = |source| ListenError::Refused { place: address.to_string(), source };
        let mut listener = Listener::tcp(address)?;
        registry.register(&mut listener, Token(first_token), Interest::READABLE).map_err(refused)?;
        let address = listener.address().unwrap_or(address);
        let hosts = Hosts::new(address.ip(), &config.names);
        let doorman = Doorman::new(listener, format!("http {address}"));
        Ok(Self {
            doorman,
            #[cfg(feature = "demo")]
            address,
            hosts,
            clients: Slab::new(),
            first_token,
        })
    }

    /// Returns the address. For port 0 it has the port that the system chose.
    #[cfg(feature = "demo")]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Handles an event on one of the server's tokens. Returns a client's request, which the daemon must
    /// [`answer`](Self::answer) before the next event.
    pub(crate) fn handle(&mut self, event: &Event) -> Option<Asked> {
        match event.token().0 - self.first_token {
            0 => {
                // The event loop accepts when it goes on.
                self.doorman.note_event(Instant::now());
                None
            }
            place => self.proceed(place - 1),
        }
    }

    /// Sends the response to a request.
    pub(crate) fn answer(&mut self, asked: &Asked, answer: Vec<u8>) {
        if let Some(client) = self.clients.get_mut(asked.client) {
            client.answer(answer);
            self.proceed(asked.client);
        }
    }

    /// Returns when to [go on](Self::go_on) without an event.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.clients.iter().map(|(_, client)| client.deadline).chain(self.doorman.next_wake()).min()
    }

    /// Accepts connections that wait. Closes those at their deadline, with an error response if their request is incomplete.
    pub(crate) fn go_on(&mut self, now: Instant, registry: &Registry) {
        if self.doorman.wants_turn(now) {
            self.accept(now, registry);
        }
        let late: Vec<usize> =
            self.clients.iter().filter(|(_, client)| client.deadline <= now).map(|(id, _)| id).collect();
        for id in late {
            if let Some(client) = self.clients.get_mut(id)
                && client.is_asking()
            {
                client.answer(answer::refusal(Refusal::TooSlow));
                self.proceed(id);
            }
            self.clients.try_remove(id);
        }
    }

    fn accept(&mut self, now: Instant, registry: &Registry) {
        for _ in 0..ACCEPTS_AT_ONCE {
            let Some(stream) = self.doorman.accept(now) else { return };
            if let Err(error) = self.admit(stream, registry) {
                return self.doorman.fail(&error, now);
            }
        }
    }

    fn admit(&mut self, mut stream: Stream, registry: &Registry) -> io::Result<()> {
        if self.clients.len() >= MOST_CLIENTS {
            let oldest = self.clients.iter().min_by_key(|(_, client)| (!client.is_asking(), client.deadline));
            if let Some((id, _)) = oldest {
                self.clients.remove(id);
            }
        }
        let entry = self.clients.vacant_entry();
        let token = Token(self.first_token + 1 + entry.key());
        // The event loop also reports input that came before this.
        registry.register(&mut stream, token, INTEREST)?;
        entry.insert(Client::new(stream, Instant::now() + PATIENCE));
        Ok(())
    }

    fn proceed(&mut self, id: usize) -> Option<Asked> {
        let client = self.clients.get_mut(id)?;
        loop {
            match client.proceed(&self.hosts) {
                Next::Event => return None,
                Next::Asked(request) => return Some(Asked { client: id, request }),
                Next::Refused(refusal) => client.answer(answer::refusal(refusal)),
                Next::Close => {
                    self.clients.remove(id);
                    return None;
                }
            }
        }
    }
}
