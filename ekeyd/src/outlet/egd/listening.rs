//! One listener of the EGD server and its account.

use std::io;

use ekey_control::status::{EgdStatus, EgdTlsStatus};
use ekey_egd::Served;

use super::handshakes::Handshakes;
use crate::socket::Listener;

/// A listener and its counts.
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
    /// Whether connections may wait to be accepted.
    pub(super) pending: bool,
    /// Whether the server could not accept the last one, usually for lack of a descriptor.
    pub(super) stalled: bool,
}

/// Connections that the server closed.
#[derive(Default)]
pub(super) struct TurnedAway {
    pub(super) too_many: u64,
    pub(super) not_allowed: u64,
    pub(super) idle: u64,
}

impl Listening {
    /// Starts the account of a new listener.
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

    /// Notes that all connections are accepted.
    pub(super) fn rest(&mut self) {
        self.pending = false;
        self.stalled = false;
    }

    /// Makes connections wait until there is room for them.
    pub(super) fn hold(&mut self) {
        self.pending = false;
        self.stalled = true;
    }

    /// Makes connections wait after an error. Logs it once.
    pub(super) fn stall(&mut self, error: &io::Error) {
        if !self.stalled {
            tracing::warn!("{}: cannot accept a connection: {error}; is the limit of open files too low?", self.shown);
        }
        self.hold();
    }

    /// Returns its status. `waiting_bytes` of answers wait for its clients, of which `half_open` are in the handshake.
    pub(super) fn status(&self, waiting_bytes: u64, half_open: u64, certificate: Option<EgdTlsStatus>) -> EgdStatus {
        EgdStatus {
            listen: self.shown.clone(),
            clients: self.clients,
            requests: self.served.requests,
            served_bytes: self.served.entropy,
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
