//! One listener of the EGD server and its account.

use ekey_control::status::{EgdStatus, EgdTlsStatus};
use ekey_egd::Served;

use super::handshakes::Handshakes;
use crate::socket::Doorman;

/// A listener and its counts.
pub(super) struct Listening {
    pub(super) doorman: Doorman,
    pub(super) clients: u64,
    pub(super) waiting: u64,
    pub(super) served: Served,
    pub(super) turned_away: TurnedAway,
    /// Whether its clients must speak TLS.
    pub(super) is_tls: bool,
    pub(super) handshakes: Handshakes,
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
    pub(super) fn new(doorman: Doorman, is_tls: bool) -> Self {
        Self {
            doorman,
            clients: 0,
            waiting: 0,
            served: Served::default(),
            turned_away: TurnedAway::default(),
            is_tls,
            handshakes: Handshakes::default(),
        }
    }

    /// Returns its status. `waiting_bytes` of answers wait for its clients, of which `half_open` are in the handshake.
    pub(super) fn status(&self, waiting_bytes: u64, half_open: u64, certificate: Option<EgdTlsStatus>) -> EgdStatus {
        EgdStatus {
            listen: self.doorman.place().to_owned(),
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
