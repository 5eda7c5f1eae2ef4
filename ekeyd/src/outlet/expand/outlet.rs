//! The listeners of `[expand]`: an EGD server of its own, with the limits of `[egd]`, that knows no other source than the generator.

use std::time::Instant;

use ekey_control::status::ExpandStatus;
use mio::Registry;
use mio::event::Event;

use super::Expander;
use crate::config::{self, Config};
use crate::outlet::egd;
use crate::socket::ListenError;
use crate::source::batch::Batch;
use crate::stock::pool::Pool;

/// The generator and those whom it serves.
pub(crate) struct Outlet {
    expander: Expander,
    server: egd::Server,
}

impl Outlet {
    /// Listens wherever the configuration says, if it says so at all. The tokens are `first_token` and those above.
    ///
    /// # Errors
    /// [`ListenError`] for the first place where it cannot.
    pub(crate) fn start(config: &Config, registry: &Registry, first_token: usize) -> Result<Option<Self>, ListenError> {
        let Some(expand) = &config.expand else { return Ok(None) };
        let egd = config::Egd {
            listen: expand.listen.clone(),
            tls: None,
            max_clients: expand.max_clients,
            ..config.egd.clone()
        };
        let server = egd::Server::start(&egd, registry, first_token)?;
        for listen in &egd.listen {
            tracing::info!(
                "{listen}: serves what AES-256 CTR_DRBG makes of seeds from the keys, which is not full entropy"
            );
        }
        Ok(Some(Self { expander: Expander::new(expand), server }))
    }

    /// Deals with an event on one of its tokens.
    pub(crate) fn handle(&mut self, event: &Event, registry: &Registry) {
        self.server.handle(event, registry, self.expander.output(Instant::now()));
    }

    /// Takes a seed out of `pool`, which has nothing in it but verified bytes of keys, if one is due.
    pub(crate) fn draw(&mut self, pool: &mut Pool) {
        self.expander.draw(pool, Instant::now());
    }

    /// Takes a seed off what a key has sent, if one is due.
    pub(crate) fn draw_off(&mut self, batch: &mut Batch) {
        self.expander.draw_off(batch, Instant::now());
    }

    /// A key has failed, of which the seed may be.
    pub(crate) fn forget(&mut self) {
        self.expander.forget();
    }

    /// Serves those who wait.
    pub(crate) fn serve(&mut self, registry: &Registry) {
        let now = Instant::now();
        self.server.serve(registry, self.expander.output(now));
        // What is ready shows whether there is more to do at once.
        self.expander.output(now);
    }

    /// Whether there is something to do at once.
    pub(crate) fn is_pending(&self) -> bool {
        self.server.is_pending(self.expander.shown())
    }

    /// When to [serve](Self::serve) although nothing happens.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.server.next_wake()
    }

    /// Bytes of keys that went into seeds.
    pub(crate) fn seed_bytes(&self) -> u64 {
        self.expander.seed_bytes
    }

    /// Bytes that clients have offered and that were mixed into the kernel.
    pub(crate) fn mixed_bytes(&self) -> u64 {
        self.server.mixed_bytes()
    }

    /// As people and programs get to see it.
    pub(crate) fn status(&self) -> ExpandStatus {
        ExpandStatus { listeners: self.server.status(), ..self.expander.status(Instant::now()) }
    }
}
