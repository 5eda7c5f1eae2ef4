//! Clients in the TLS handshake: the limits on their number, their time, and the part of each turn that goes to them.
//!
//! A handshake costs a thousand times what an answer does, and anyone who can reach the port can start one. So handshakes get at
//! most a moment of each turn, and their number is limited. At the limit, new connections wait until a handshake is done or the
//! oldest has had its second. A slow crowd delays newcomers only.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mio::Registry;
use slab::Slab;

use super::super::client::{Client, Ticket};
use super::{SWEEP, Server, find, is_live};
use crate::outlet::egd::Store;
use crate::socket::Stream;

/// Limit on the handshakes at a time.
const MOST: usize = 256;
/// The time that each has before another takes its place.
const AT_LEAST: Duration = Duration::from_secs(1);
/// The time for handshakes in one turn of the event loop. One is always allowed to finish its step.
const AT_ONCE: Duration = Duration::from_millis(2);

/// The clients in the handshake.
#[derive(Debug)]
pub(super) struct HalfOpen {
    /// In the order of arrival. Some may have finished or left since.
    arrived: VecDeque<(Ticket, Instant)>,
    count: usize,
    /// Those that can go on.
    ready: VecDeque<Ticket>,
    patience: Duration,
}

impl HalfOpen {
    /// Starts without any; each will have `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self { arrived: VecDeque::new(), count: 0, ready: VecDeque::new(), patience }
    }

    /// Notes that a client begins its handshake.
    pub(super) fn enter(&mut self, ticket: Ticket, now: Instant) {
        self.count += 1;
        self.arrived.push_back((ticket, now));
    }

    /// Notes that a client has finished it or left.
    pub(super) fn leave(&mut self) {
        self.count -= 1;
    }

    /// Notes that a client can go on.
    pub(super) fn note(&mut self, ticket: Ticket) {
        self.ready.push_back(ticket);
    }

    /// Returns whether one can go on.
    pub(super) fn is_pending(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns when the oldest one's time is over.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.arrived.front().map(|(_, came)| *came + self.time())
    }

    /// Returns the time that each may take.
    fn time(&self) -> Duration {
        if self.count < MOST { self.patience } else { self.patience.min(AT_LEAST) }
    }

    /// Returns the oldest, if its time is over.
    fn late(&mut self, clients: &Slab<Client>, now: Instant) -> Option<Ticket> {
        let is_half_open = |ticket: Ticket| is_live(clients, ticket) && clients[ticket.place].half_open;
        if self.arrived.len() > 4 * MOST {
            self.arrived.retain(|(ticket, _)| is_half_open(*ticket));
        }
        while self.arrived.front().is_some_and(|(ticket, _)| !is_half_open(*ticket)) {
            self.arrived.pop_front();
        }
        let time = self.time();
        self.arrived.front().filter(|(_, came)| now >= *came + time).map(|(ticket, _)| *ticket)
    }
}

impl Server {
    /// Reads the TLS files again, if a listener needs them: for new clients, and for those with a certificate of an authority that
    /// is not there any longer.
    ///
    /// # Errors
    /// What is wrong with them; then the old ones stay in use.
    #[cfg(feature = "tls")]
    pub(crate) fn reload_tls(&mut self) -> Result<(), crate::socket::tls::TlsError> {
        let Some(acceptor) = &mut self.acceptor else { return Ok(()) };
        if acceptor.reload()? {
            self.has_other_authorities = true;
            self.next_sweep = Instant::now();
        }
        tracing::info!("the certificate for TLS clients was read again, and ends on {}", acceptor.valid_until());
        Ok(())
    }

    /// Returns whether a TLS listener may take a connection.
    pub(super) fn has_room_for_handshake(&self) -> bool {
        self.half_open.count < MOST
    }

    /// Begins TLS on a connection that a TLS listener has taken.
    ///
    /// # Errors
    /// The TLS library refuses.
    pub(super) fn secure(&self, stream: Stream) -> std::io::Result<Stream> {
        match (stream, self) {
            #[cfg(feature = "tls")]
            (Stream::Tcp(socket), Self { acceptor: Some(acceptor), .. }) => {
                Ok(Stream::Tls(Box::new(acceptor.accept(socket)?)))
            }
            // A TLS listener has TCP sockets and an acceptor. A mistake there must not let a client in without TLS.
            _ => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    /// Closes the handshakes that take too long, and continues the others for a moment.
    pub(super) fn shake_hands(&mut self, registry: &Registry, store: &mut dyn Store, now: Instant) {
        while let Some(ticket) = self.half_open.late(&self.clients, now) {
            self.remove(ticket.place, registry, now);
        }
        let until = Instant::now() + AT_ONCE;
        for _ in 0..self.half_open.ready.len() {
            let Some(ticket) = self.half_open.ready.pop_front() else { return };
            if let Some(client) = find(&mut self.clients, ticket) {
                client.unfinished = false;
                self.go_on(ticket.place, None, registry, store, now);
                if Instant::now() >= until {
                    return;
                }
            }
        }
    }

    /// Counts a client that has just finished its handshake.
    pub(super) fn note_handshake(&mut self, id: usize, now: Instant) {
        let client = &mut self.clients[id];
        if client.half_open && !client.stream.is_handshaking() {
            client.half_open = false;
            self.half_open.leave();
            self.listeners[client.listener as usize].handshakes.finished();
            // The session ends when the client's certificate expires.
            self.next_sweep = self.next_sweep.min(now + client.stream.time_left().unwrap_or(SWEEP).min(SWEEP));
        }
    }

    /// Counts a client that leaves before its handshake is finished, and logs why.
    pub(super) fn note_failed_handshake(&mut self, client: &Client, now: Instant) {
        if client.half_open {
            self.half_open.leave();
            let listening = &mut self.listeners[client.listener as usize];
            listening.handshakes.failed(listening.doorman.place(), &client.stream, now);
        }
    }
}
