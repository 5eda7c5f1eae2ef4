//! EGD clients as an outlet.

use std::time::Instant;

use ekey_control::Status;
use ekey_control::status::{Account, EgdStatus, OutletStatus};
use mio::event::Event;
use mio::{Registry, Token};

use super::store::OfStock;
use super::{Server, allow_clients};
use crate::config::{self, Config};
use crate::outlet::{Outlet, Turn};
use crate::socket::ListenError;
use crate::stock::share::{Rank, Want};
use crate::stock::{Need, Stock};

/// Bytes kept for clients before a bulk outlet gets any, if the stock is that large.
const MOST_RESERVE: usize = 64 * 1024;
/// Limit on the bytes wanted at a time for all waiting clients.
const MOST_WANTED: usize = 64 * 1024;

/// How many clients each server may have, within the limit of open files.
pub(crate) struct Allowance {
    /// Of `[egd]`.
    pub(crate) egd: usize,
}

impl Allowance {
    /// Raises the limit on open files as far as it goes. Logs a limit that is too low.
    pub(crate) fn of(config: &Config) -> Self {
        let others = config.expand.as_ref().map_or(0, |expand| expand.max_clients);
        let most = allow_clients(config.egd.max_clients + others).saturating_sub(others).max(1);
        if most < config.egd.max_clients {
            tracing::warn!("the limit on open files allows only {most} EGD clients (LimitNOFILE=, ulimit -n)");
        }
        Self { egd: most.min(config.egd.max_clients) }
    }
}

/// Programs and machines that ask for entropy by EGD.
pub(crate) struct EgdClients {
    server: Server,
    need: Need,
    /// What the clients may have until the next grant, if the last one was less than they wanted.
    left: Option<usize>,
    wanted: usize,
}

impl EgdClients {
    /// Listens at the configured places, for up to `max_clients` clients.
    ///
    /// # Errors
    /// [`ListenError`] for the first place that fails.
    pub(crate) fn open(
        config: &Config,
        max_clients: usize,
        registry: &Registry,
        first_token: Token,
    ) -> Result<Self, ListenError> {
        let egd = config::Egd { max_clients, ..config.egd.clone() };
        let need = if config.egd.combine { Need::OfTwoKeys } else { Need::Any };
        Ok(Self { server: Server::start(&egd, registry, first_token.0)?, need, left: None, wanted: 0 })
    }
}

impl Outlet for EgdClients {
    fn want(&mut self, _now: Instant, stock: &Stock) -> Want {
        let reserve = if self.server.is_on() { MOST_RESERVE.min(stock.capacity() / 2) } else { 0 };
        self.wanted = self.server.wanted(MOST_WANTED).min(MOST_WANTED);
        Want { need: self.need, bytes: self.wanted, rank: Rank::Waiting, reserve }
    }

    fn serve(&mut self, grant: usize, stock: &mut Stock, turn: &Turn<'_>) {
        let held = stock.held(self.need);
        self.server.serve(turn.registry, &mut OfStock { stock, need: self.need }, grant);
        let taken = held.saturating_sub(stock.held(self.need));
        self.left = (grant < self.wanted).then(|| grant.saturating_sub(taken));
    }

    fn handle(&mut self, event: &Event, stock: &mut Stock, turn: &Turn<'_>) {
        self.server.handle(event, turn.registry, &mut OfStock { stock, need: self.need });
    }

    fn is_pending(&self, stock: &Stock) -> bool {
        self.server.is_pending(stock.held(self.need).min(self.left.unwrap_or(usize::MAX)))
    }

    fn forget(&mut self, turn: &Turn<'_>) {
        self.server.forget(turn.registry, turn.now);
    }

    fn mixes_fresh(&self) -> bool {
        self.server.mixes_fresh()
    }

    fn next_wake(&self) -> Option<Instant> {
        self.server.next_wake()
    }

    #[cfg(feature = "tls")]
    fn reload(&mut self) -> Result<(), String> {
        let kept = |error| format!("{error}; until then the old certificate stays in use");
        self.server.reload_tls().map_err(kept)
    }

    fn report(&self, status: &mut Status) {
        status.egd = self.server.status();
        status.peers.extend(self.server.top_peers("egd"));
        status.offered_bytes += self.server.mixed_bytes();
        status.outlets.push(OutletStatus::new("egd", account(&status.egd), None));
    }
}

/// Adds up the answers of some listeners, with the bytes in them that are not entropy.
pub(crate) fn account(listeners: &[EgdStatus]) -> Account {
    let sum = |figure: fn(&EgdStatus) -> u64| listeners.iter().map(figure).sum();
    Account {
        given_bytes: sum(|egd| egd.served_bytes + egd.other_bytes),
        passed_on_bytes: sum(|egd| egd.sent_bytes),
        waiting_bytes: sum(|egd| egd.waiting_bytes),
        dropped_bytes: sum(|egd| egd.dropped_bytes),
    }
}
