//! Where entropy goes: the kernel, `[expand]`, a file or pipe, EGD clients.
//!
//! An [`Outlet`] says what it wants, is granted a part of the stock by [`shares`](crate::stock::share::shares), and accounts for
//! every byte it took. A new outlet is a file here and a line in [`open_all`].

pub(crate) mod egd;
pub(crate) mod expand;
pub(crate) mod file;
pub(crate) mod kernel;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ekey_control::Status;
use mio::event::Event;
use mio::{Registry, Token, Waker};

use crate::config::Config;
use crate::socket::ListenError;
use crate::source::SourceId;
use crate::stock::Stock;
use crate::stock::share::Want;

/// What the event loop lends an outlet for one call.
pub(crate) struct Turn<'a> {
    /// The time.
    pub now: Instant,
    /// Where sockets are registered.
    pub registry: &'a Registry,
}

/// Runs first on a thread that keeps a privilege which the others give up. Returns what went wrong.
pub(crate) type ConfineThread = Box<dyn FnOnce() -> Option<String> + Send>;

/// One way for entropy to leave the daemon.
pub(crate) trait Outlet {
    /// Returns what it would take at `now`.
    fn want(&mut self, now: Instant, stock: &Stock) -> Want;

    /// Takes up to `grant` bytes of what it wanted, and does its other pending work.
    fn serve(&mut self, grant: usize, stock: &mut Stock, turn: &Turn<'_>);

    /// Handles an event on one of its tokens.
    fn handle(&mut self, _event: &Event, _stock: &mut Stock, _turn: &Turn<'_>) {}

    /// Returns whether there is more to do at once.
    fn is_pending(&self, _stock: &Stock) -> bool {
        false
    }

    /// Returns when to [serve](Self::serve) although nothing happens.
    fn next_wake(&self) -> Option<Instant> {
        None
    }

    /// Returns whether it takes every byte, so that sources must wait rather than bytes be discarded.
    fn takes_all(&self) -> bool {
        false
    }

    /// Mixes in bytes that failed a health test, without credit. Returns how many it took.
    fn mix(&mut self, _bytes: &[u8]) -> usize {
        0
    }

    /// Discards what it made of a key's last bytes: they are suspect. None makes anything of unproven bytes.
    fn retire(&mut self, _from: SourceId) {}

    /// Wipes what it holds or has made of what it took, and closes the connections on which such bytes wait or whose keys are no
    /// secret of this machine any more.
    fn forget(&mut self, turn: &Turn<'_>);

    /// Returns whether it mixes fresh bytes of the kernel's generator into those that leave.
    fn mixes_fresh(&self) -> bool {
        false
    }

    /// Moves the work that takes a privilege to a thread of its own, which runs `confine` first. Returns `None` if it needs no
    /// privilege, else what went wrong, if anything.
    fn keep_privilege(&mut self, _confine: ConfineThread) -> Option<Option<String>> {
        None
    }

    /// Returns whether [`keep_privilege`](Self::keep_privilege) has something to move.
    fn needs_privilege(&self) -> bool {
        false
    }

    /// Starts its threads. Called once the daemon has given up what it does not need.
    ///
    /// # Errors
    /// The system cannot start one.
    fn start(&mut self, _waker: &Arc<Waker>) -> io::Result<()> {
        Ok(())
    }

    /// Reads its files again.
    ///
    /// # Errors
    /// What is wrong with them, and what stays in use.
    fn reload(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Writes its part of the status.
    fn report(&self, status: &mut Status);

    /// Finishes what it has begun, within `grace`.
    fn stop(self: Box<Self>, _grace: Duration) {}
}

fn boxed<O: Outlet + 'static>(outlet: Option<O>) -> Option<Box<dyn Outlet>> {
    outlet.map(|outlet| Box::new(outlet) as Box<dyn Outlet>)
}

/// Opens the configured outlets, in the order of service. `token` gives each its first token.
///
/// # Errors
/// [`ListenError`] if it cannot listen on a socket. Any other outlet that cannot be used says so in its status.
pub(crate) fn open_all(
    config: &Config,
    registry: &Registry,
    token: impl Fn(usize) -> Token,
) -> Result<Vec<Box<dyn Outlet>>, ListenError> {
    let mut outlets: Vec<Box<dyn Outlet>> = Vec::new();
    let clients = egd::Allowance::of(config);
    outlets.extend(boxed(kernel::Feeder::open(config)));
    outlets.extend(boxed(expand::Expanded::open(config, registry, token(outlets.len()))?));
    outlets.extend(boxed(file::FileOutlet::open(config)));
    outlets.extend(boxed(Some(egd::EgdClients::open(config, clients.egd, registry, token(outlets.len()))?)));
    Ok(outlets)
}
