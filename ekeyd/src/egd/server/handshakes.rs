//! Clients in the TLS handshake: how many there may be, for how long, and how much of each turn their cryptography may take.
//!
//! A handshake costs a thousand times what an answer does, and whoever can reach the port can ask for one. So handshakes are gone
//! on with for a moment only before the others are served; there is room for so many at a time; and if that is full, connections
//! wait to be taken until one is done, or the oldest has had its second. A slow crowd can so hold up newcomers, and nobody else.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mio::Registry;
use slab::Slab;

use super::super::client::Client;
use super::super::queue::Ticket;
use super::Server;
use crate::pool::Pool;
use crate::socket::Stream;
use crate::tls::TlsError;

/// Handshakes that may be going on.
const MOST: usize = 256;
/// What each of these has in any case before another takes its place.
const AT_LEAST: Duration = Duration::from_secs(1);
/// How long handshakes are gone on with before anything else is looked at; one is, however long it takes.
const AT_ONCE: Duration = Duration::from_millis(2);

/// Those in the handshake.
#[derive(Debug)]
pub(super) struct HalfOpen {
    /// In the order in which they came; some may have finished since, or gone.
    arrived: VecDeque<(Ticket, Instant)>,
    count: usize,
    /// Those to which something has happened.
    due: VecDeque<Ticket>,
    patience: Duration,
}

impl HalfOpen {
    /// Nobody; each will have `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self { arrived: VecDeque::new(), count: 0, due: VecDeque::new(), patience }
    }

    /// Another one.
    pub(super) fn enter(&mut self, ticket: Ticket, now: Instant) {
        self.count += 1;
        self.arrived.push_back((ticket, now));
    }

    /// One has finished or gone.
    pub(super) fn leave(&mut self) {
        self.count -= 1;
    }

    /// One has something to go on with.
    pub(super) fn note(&mut self, ticket: Ticket) {
        self.due.push_back(ticket);
    }

    /// Whether one has something to go on with.
    pub(super) fn is_pending(&self) -> bool {
        !self.due.is_empty()
    }

    /// When the oldest is to be looked at.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.arrived.front().map(|(_, came)| *came + self.time())
    }

    /// What each may take.
    fn time(&self) -> Duration {
        if self.count < MOST { self.patience } else { self.patience.min(AT_LEAST) }
    }

    /// The oldest, if it has had its time.
    fn late(&mut self, clients: &Slab<Client>, now: Instant) -> Option<Ticket> {
        let is_live = |ticket: Ticket| {
            clients.get(ticket.place).is_some_and(|client| client.number == ticket.number && client.half_open)
        };
        if self.arrived.len() > 4 * MOST {
            self.arrived.retain(|(ticket, _)| is_live(*ticket));
        }
        while self.arrived.front().is_some_and(|(ticket, _)| !is_live(*ticket)) {
            self.arrived.pop_front();
        }
        let time = self.time();
        self.arrived.front().filter(|(_, came)| now >= *came + time).map(|(ticket, _)| *ticket)
    }
}

impl Server {
    /// Reads the files of TLS again, for clients from now on, if there are listeners that need them.
    ///
    /// # Errors
    /// [`TlsError`]; then what was read before stays in use.
    pub(crate) fn reload_tls(&mut self) -> Result<(), TlsError> {
        let Some(acceptor) = &mut self.acceptor else { return Ok(()) };
        acceptor.reload()?;
        tracing::info!("the certificate for TLS clients was read again, and ends on {}", acceptor.valid_until());
        Ok(())
    }

    /// Whether a connection of a TLS listener may be taken.
    pub(super) fn has_room_for_handshake(&self) -> bool {
        self.half_open.count < MOST
    }

    /// Begins TLS on a connection that a TLS listener has taken.
    ///
    /// # Errors
    /// What the library says if it cannot.
    pub(super) fn secure(&self, stream: Stream) -> std::io::Result<Stream> {
        match (stream, &self.acceptor) {
            (Stream::Tcp(socket), Some(acceptor)) => Ok(Stream::Tls(Box::new(acceptor.accept(socket)?))),
            // There is none without the other; nobody must get by without TLS for such a mistake.
            _ => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    /// Lets go of those who take too long, and goes on with the others for a moment.
    pub(super) fn shake_hands(&mut self, registry: &Registry, pool: &mut Pool, now: Instant) {
        while let Some(ticket) = self.half_open.late(&self.clients, now) {
            self.remove(ticket.place, registry, now);
        }
        let until = Instant::now() + AT_ONCE;
        for _ in 0..self.half_open.due.len() {
            let Some(ticket) = self.half_open.due.pop_front() else { return };
            if let Some(client) = self.clients.get_mut(ticket.place).filter(|client| client.number == ticket.number) {
                client.unfinished = false;
                self.go_on(ticket.place, None, registry, pool, now);
                if Instant::now() >= until {
                    return;
                }
            }
        }
    }

    /// Takes down that a client has finished its handshake, if it has just now.
    pub(super) fn note_handshake(&mut self, id: usize) {
        let client = &mut self.clients[id];
        if client.half_open && !client.stream.is_handshaking() {
            client.half_open = false;
            self.half_open.leave();
            self.listeners[client.listener as usize].handshakes.finished();
        }
    }

    /// Takes down why somebody did not finish the handshake.
    pub(super) fn note_failed_handshake(&mut self, client: &Client, now: Instant) {
        if client.half_open {
            self.half_open.leave();
            let listening = &mut self.listeners[client.listener as usize];
            listening.handshakes.failed(&listening.shown, &client.stream, now);
        }
    }
}
