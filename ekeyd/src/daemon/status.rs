//! The daemon's status, in which each source and each outlet writes its part.

use std::time::{SystemTime, UNIX_EPOCH};

use ekey_control::Status;
use ekey_control::status::{FORMAT, PoolStatus, TOP_PEERS};

use super::{Daemon, IN_FLIGHT};
use crate::stock::Need;
use crate::stock::combine::Combiner;

impl Daemon {
    /// Returns the whole status.
    pub(super) fn status(&self) -> Status {
        let counters = self.stock.counters();
        let mut status = Status {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.settings.host.clone(),
            as_of_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            pid: std::process::id(),
            uptime_s: self.settings.started.elapsed().as_secs(),
            not_random: self.settings.not_random,
            keyring: self.keyring.status(),
            keys: Vec::new(),
            idle_keys: Vec::new(),
            // A delivery may be in the hands of each thread.
            books: Some(self.arrivals.ledger.books(IN_FLIGHT + self.threads())),
            pool: PoolStatus {
                bytes: self.stock.held(Need::Any) as u64,
                capacity: self.stock.capacity() as u64,
                overflowed_bytes: counters.overflowed,
                received_bytes: counters.received,
                wiped_bytes: counters.wiped,
            },
            outlets: Vec::new(),
            kernel: None,
            file: None,
            egd: Vec::new(),
            peers: Vec::new(),
            combine: self.stock.combiner().map(Combiner::status),
            expand: None,
            offered_bytes: 0,
            egd_client: None,
            control: self.control.path().display().to_string(),
            nonces: None,
            clones: Some(self.clones.status(self.outlets.iter().any(|outlet| outlet.mixes_fresh()))),
            confinement: Some(self.confinement.status()),
        };
        self.sources.iter().for_each(|source| source.report(&mut status));
        self.outlets.iter().for_each(|outlet| outlet.report(&mut status));
        status.peers.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.peer.cmp(&other.peer)));
        status.peers.truncate(TOP_PEERS);
        status
    }
}
