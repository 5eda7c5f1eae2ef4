//! One listener of the EGD server and its books.

use std::io;

use ekey_control::status::{EgdStatus, EgdTlsStatus};

use super::client::Served;
use super::handshakes::Handshakes;
use crate::socket::Listener;

/// A listener, and what came of it.
pub(super) struct Listening {
    pub(super) listener: Listener,
    pub(super) shown: String,
    pub(super) clients: u64,
    pub(super) waiting: u64,
    pub(super) served: Served,
    pub(super) turned_away: TurnedAway,
    /// Whether its clients must speak TLS.
    pub(super) is_tls: bool,
    pub(super) handshakes: Handshakes,
    /// Whether connections may be waiting that have not been looked at.
    pub(super) pending: bool,
    /// Whether the last one could not be taken, mostly for lack of descriptors.
    pub(super) stalled: bool,
}

/// Connections that were closed by the server.
#[derive(Default)]
pub(super) struct TurnedAway {
    pub(super) too_many: u64,
    pub(super) not_allowed: u64,
    pub(super) idle: u64,
}

impl Listening {
    /// Nobody has come yet.
    pub(super) fn new(listener: Listener, shown: String, is_tls: bool) -> Self {
        Self {
            listener,
            shown,
            clients: 0,
            waiting: 0,
            served: Served::default(),
            turned_away: TurnedAway::default(),
            is_tls,
            handshakes: Handshakes::default(),
            pending: true,
            stalled: false,
        }
    }

    /// There is nobody left to be taken.
    pub(super) fn rest(&mut self) {
        self.pending = false;
        self.stalled = false;
    }

    /// Lets connections wait until there is room for them.
    pub(super) fn hold(&mut self) {
        self.pending = false;
        self.stalled = true;
    }

    /// Lets connections wait until there is something else to do, and says so once.
    pub(super) fn stall(&mut self, error: &io::Error) {
        if !self.stalled {
            tracing::warn!("{}: cannot take a connection: {error}; is the limit of open files too low?", self.shown);
        }
        self.hold();
    }

    /// As people and programs get to see it; `waiting_bytes` of answers wait for its clients, of which
    /// `half_open` are in the handshake.
    pub(super) fn status(&self, waiting_bytes: u64, half_open: u64, certificate: Option<EgdTlsStatus>) -> EgdStatus {
        EgdStatus {
            listen: self.shown.clone(),
            clients: self.clients,
            requests: self.served.requests,
            served_bytes: self.served.bytes,
            other_bytes: self.served.others,
            sent_bytes: self.served.sent,
            waiting_bytes,
            dropped_bytes: self.served.dropped,
            waiting: self.waiting,
            refused: self.turned_away.too_many,
            denied: self.turned_away.not_allowed,
            dropped_idle: self.turned_away.idle,
            tls: certificate.map(|certificate| self.handshakes.fill_in(half_open, certificate)),
        }
    }
}
