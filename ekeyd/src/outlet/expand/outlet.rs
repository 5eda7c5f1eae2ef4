//! The generator of `[expand]` as an outlet: an EGD server of its own, with the limits of `[egd]`, that serves only the
//! generator's output.

use std::time::Instant;

use ekey_control::Status;
use ekey_control::status::{Account, ExpandStatus, OutletStatus};
use mio::event::Event;
use mio::{Registry, Token};
use zeroize::Zeroizing;

use super::Expander;
use crate::config::{self, Config};
use crate::outlet::egd::{Server, account};
use crate::outlet::{Outlet, Turn};
use crate::socket::ListenError;
use crate::source::SourceId;
use crate::stock::share::{Rank, Want};
use crate::stock::{End, Need, Stock};

/// The generator and its clients.
pub(crate) struct Expanded {
    expander: Expander,
    server: Server,
    /// What seeds are made of: two keys if keys are combined.
    need: Need,
}

impl Expanded {
    /// Listens at the configured places, if there are any.
    ///
    /// # Errors
    /// [`ListenError`] for the first place that fails.
    pub(crate) fn open(config: &Config, registry: &Registry, first_token: Token) -> Result<Option<Self>, ListenError> {
        let Some(expand) = &config.expand else { return Ok(None) };
        let egd = config::Egd {
            listen: expand.listen.clone(),
            tls: None,
            max_clients: expand.max_clients,
            ..config.egd.clone()
        };
        let server = Server::start(&egd, registry, first_token.0)?;
        for listen in &egd.listen {
            tracing::info!(
                "{listen}: serves the output of AES-256 CTR_DRBG, seeded from the keys, which is not full entropy"
            );
        }
        let need = if config.egd.combine { Need::OfTwoKeys } else { Need::Proven };
        Ok(Some(Self { expander: Expander::new(expand), server, need }))
    }
}

impl Outlet for Expanded {
    fn want(&mut self, now: Instant, _stock: &Stock) -> Want {
        Want { need: self.need, bytes: self.expander.wants(now), rank: Rank::First, reserve: 0 }
    }

    /// Takes a seed only as a whole.
    fn serve(&mut self, grant: usize, stock: &mut Stock, turn: &Turn<'_>) {
        let wanted = self.expander.wants(turn.now);
        if wanted > 0 && grant >= wanted && stock.held(self.need) >= wanted {
            let mut seed = Zeroizing::new(Vec::with_capacity(wanted));
            stock.take(wanted, End::Freshest, self.need, &mut seed);
            self.expander.seed(&seed, turn.now);
        }
        self.server.serve(turn.registry, self.expander.output(turn.now), usize::MAX);
        // Filling up shows whether there is more to do at once.
        self.expander.output(turn.now);
    }

    fn handle(&mut self, event: &Event, _stock: &mut Stock, turn: &Turn<'_>) {
        self.server.handle(event, turn.registry, self.expander.output(turn.now));
    }

    fn is_pending(&self, _stock: &Stock) -> bool {
        self.server.is_pending(self.expander.ready())
    }

    fn mixes_fresh(&self) -> bool {
        self.server.mixes_fresh()
    }

    fn next_wake(&self) -> Option<Instant> {
        self.server.next_wake()
    }

    /// Keeps a seed of combined keys: a block made of two keys is as good as the better of them.
    fn retire(&mut self, _from: SourceId) {
        if self.need == Need::Proven {
            self.expander.forget("a key has failed a health test");
        }
    }

    fn forget(&mut self, turn: &Turn<'_>) {
        self.expander.forget("the daemon forgets everything");
        self.server.forget(turn.registry, turn.now);
    }

    fn report(&self, status: &mut Status) {
        let expand = ExpandStatus { listeners: self.server.status(), ..self.expander.status(Instant::now()) };
        status.peers.extend(self.server.top_peers("expand"));
        status.offered_bytes += self.server.mixed_bytes();
        // A seed is used at once.
        let seeds = Account {
            given_bytes: expand.seed_bytes,
            passed_on_bytes: expand.seed_bytes,
            waiting_bytes: 0,
            dropped_bytes: 0,
        };
        status.outlets.push(OutletStatus::new("expand", seeds + account(&expand.listeners), expand.problem.clone()));
        status.expand = Some(expand);
    }
}
