//! The listener and its clients.

use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use ekey_control::{Command, Reply};
use mio::event::Event;
use mio::{Interest, Registry, Token};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;
use slab::Slab;

use super::client::{Client, Next};
use crate::socket::{Access, ListenError, Listener, Stream};

/// Clients at a time. People and scripts come and go; more than this is a mistake or an attack.
const MOST_CLIENTS: usize = 64;
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The control socket.
pub(crate) struct Server {
    listener: Listener,
    path: PathBuf,
    clients: Slab<Client>,
    first_token: usize,
    /// Whether a connection could not be taken and waits.
    stalled: bool,
}

/// A command that is to be answered.
pub(crate) struct Asked {
    client: usize,
    /// What is asked.
    pub command: Command,
}

impl Server {
    /// Listens at `path`, for the owner and the group of the daemon. The server's tokens are the
    /// [`TOKENS`](Self::TOKENS) from `first_token` on.
    ///
    /// # Errors
    /// [`ListenError`] says what is in the way.
    pub(crate) fn start(path: &Path, registry: &Registry, first_token: usize) -> Result<Self, ListenError> {
        let mut listener = Listener::unix(path, Access::default())?;
        registry
            .register(&mut listener, Token(first_token), Interest::READABLE)
            .map_err(|source| ListenError::Refused { place: path.display().to_string(), source })?;
        Ok(Self { listener, path: path.to_owned(), clients: Slab::new(), first_token, stalled: false })
    }

    /// How many tokens it uses.
    pub(crate) const TOKENS: usize = 1 + MOST_CLIENTS;

    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Deals with an event on one of the server's tokens, and returns what a client asks. It is to be answered with
    /// [`answer`](Self::answer) before the next event.
    pub(crate) fn handle(&mut self, event: &Event, registry: &Registry) -> Option<Asked> {
        match event.token().0 - self.first_token {
            0 => {
                self.accept(registry);
                None
            }
            place => {
                self.clients.get_mut(place - 1)?.set_readable();
                self.listen_to(place - 1, registry)
            }
        }
    }

    /// Answers a command.
    pub(crate) fn answer(&mut self, asked: &Asked, reply: &Reply, registry: &Registry) {
        if let Some(client) = self.clients.get_mut(asked.client) {
            client.answer(reply);
            self.go_on_later(asked.client, registry);
        }
    }

    fn accept(&mut self, registry: &Registry) {
        loop {
            let accepted = match self.listener.accept() {
                Ok(Some(stream)) => self.admit(stream, registry),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            if let Err(error) = accepted {
                if !self.stalled {
                    tracing::warn!("{}: cannot take a connection: {error}", self.path.display());
                }
                self.stalled = true;
                return;
            }
            self.stalled = false;
        }
    }

    /// Takes the connections that could not be taken before, if they can be now.
    pub(crate) fn go_on(&mut self, registry: &Registry) {
        if self.stalled {
            self.accept(registry);
        }
    }

    /// Sends what has been answered, as far as that needs no waiting.
    pub(crate) fn flush(&mut self) {
        for (_, client) in &mut self.clients {
            let _ = client.next();
        }
    }

    fn admit(&mut self, mut stream: Stream, registry: &Registry) -> io::Result<()> {
        if self.clients.len() >= MOST_CLIENTS {
            tracing::warn!("{}: more than {MOST_CLIENTS} clients at a time, one was turned away", self.path.display());
            return Ok(());
        }
        let is_master = is_master(&stream);
        let entry = self.clients.vacant_entry();
        let token = Token(self.first_token + 1 + entry.key());
        registry.register(&mut stream, token, INTEREST)?;
        entry.insert(Client::new(stream, is_master));
        Ok(())
    }

    /// Takes one line from a client, and returns it if the daemon is to answer it.
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
                Ok(Some(command)) if command.is_read_only() || client.is_master => {
                    return Some(Asked { client: id, command });
                }
                Ok(Some(_)) => Reply::error("only root and the daemon's own user may change anything"),
                Ok(None) => Reply::ok(),
                Err(error) => Reply::error(error),
            },
        };
        client.answer(&reply);
        self.go_on_later(id, registry);
        None
    }

    /// Has the event loop come back to a client even if nothing new happens: for its answer, and for what it asked already.
    fn go_on_later(&mut self, id: usize, registry: &Registry) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let token = Token(self.first_token + 1 + id);
        if registry.reregister(&mut client.stream, token, INTEREST).is_err() {
            self.clients.remove(id);
        }
    }
}

/// Whether the peer is root or the user that the daemon runs as.
fn is_master(stream: &Stream) -> bool {
    let Stream::Unix(stream) = stream else { return false };
    let peer = getsockopt(&stream.as_fd(), sockopt::PeerCredentials);
    peer.is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
}
