//! Where entropy comes from: keys, and EGD servers of other machines.
//!
//! The threads of a [`Source`] send each [`Delivery`] over one bounded channel. A source knows nothing of outlets.

pub(crate) mod batch;
pub(crate) mod egd;
mod health;
pub(crate) mod key;
pub(crate) mod keyring;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use ekey_control::{Command, Reply, Status};
use mio::event::Event;
use mio::{Registry, Token};

use crate::config::Config;
use batch::Batch;
use keyring::SharedKeyring;

/// Limit of a batch in bytes.
pub(crate) const MOST_BATCH: usize = 256 * ekey_proto::EntropyBlock::LEN;

/// Names a source for as long as the daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceId(u32);

/// Whether bytes are proven to come from a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// By a MAC.
    Proven,
    /// Only claimed.
    Unproven,
}

/// What a batch may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grade {
    /// For everything.
    Fit,
    /// Only to be mixed into the kernel without credit: the source failed a health test, or its bytes may be a recording.
    Unfit {
        /// In the batch in which the test failed: how many earlier bytes are suspect too.
        suspect: Option<u64>,
    },
}

/// Bytes of one source on their way to the stock.
pub(crate) struct Delivery {
    /// The source.
    pub from: SourceId,
    /// Whether the bytes are proven.
    pub trust: Trust,
    /// Whether the kernel may count them as entropy.
    pub credited: bool,
    /// The bytes.
    pub bytes: Batch,
    /// What they may be used for.
    pub grade: Grade,
    /// When they began to come: bytes of a past epoch are wiped.
    pub epoch: Epoch,
}

/// A time between two occasions on which the daemon [forgets](Source::forget) all that it holds. The first is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// The present epoch, which all threads see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Epochs(Arc<AtomicU64>);

impl Epochs {
    /// Returns the present one.
    pub(crate) fn present(&self) -> Epoch {
        Epoch(self.0.load(Ordering::Acquire))
    }

    /// Begins the next one.
    pub(crate) fn begin_next(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// Where a source's threads send their bytes. Sending waits while the daemon has no room.
#[derive(Clone)]
pub(crate) struct Inlet {
    /// The way to the stock.
    pub deliveries: Sender<Delivery>,
    /// Wakes the event loop after a delivery or a change of state.
    pub waker: Arc<mio::Waker>,
    /// The present epoch.
    pub epochs: Epochs,
}

/// How much outlets would take, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    /// What the kernel and waiting clients want.
    pub now: usize,
    /// What the kernel wants in addition, if it may count it as entropy.
    pub credited: usize,
    /// How much the stock should hold for an outlet that takes all there is.
    pub bulk: usize,
    /// What the stock holds.
    pub held: usize,
    /// What it can hold.
    pub capacity: usize,
}

/// One kind of source: all keys, or the EGD servers.
pub(crate) trait Source {
    /// Handles an event on its token.
    fn handle(&mut self, _event: &Event) {}

    /// Does the work planned for `now`.
    fn go_on(&mut self, _now: Instant) {}

    /// Returns when to [go on](Self::go_on) next.
    fn next_wake(&self) -> Option<Instant> {
        None
    }

    /// Notes how much the outlets want.
    fn want(&mut self, demand: &Demand);

    /// Notes that the stock took bytes from a source.
    fn taken(&mut self, _from: SourceId, _bytes: usize) {}

    /// Returns its sources that deliver proven entropy now.
    fn delivering(&self) -> Vec<SourceId> {
        Vec::new()
    }

    /// Executes a command that concerns it. Returns `None` for any other.
    fn command(&mut self, _command: &Command) -> Option<Reply> {
        None
    }

    /// Adopts a reloaded configuration.
    fn reload(&mut self, _config: &Config) {}

    /// Returns whether the kernel has said since the last call that this machine is a copy of another.
    fn take_copied(&mut self) -> bool {
        false
    }

    /// Wipes what its threads hold, and begins new sessions. Called after a new epoch has begun: what comes under an older one is
    /// wiped.
    fn forget(&mut self);

    /// Notes that the long-term keys have changed.
    fn keyring_changed(&self) {}

    /// Returns how many threads it has, including those that are ending.
    fn threads(&self) -> usize;

    /// Writes its part of the status.
    fn report(&self, status: &mut Status);

    /// Asks its threads to end.
    fn begin_stop(&mut self);

    /// Returns whether one of its threads runs.
    fn is_running(&self) -> bool;

    /// Waits until its threads have ended, but abandons one that hangs.
    fn stop(self: Box<Self>);
}

fn boxed<S: Source + 'static>(source: Option<S>) -> Option<Box<dyn Source>> {
    source.map(|source| Box::new(source) as Box<dyn Source>)
}

/// Starts the configured sources. `token` gives each its token.
///
/// # Errors
/// The system cannot start a thread.
pub(crate) fn open_all(
    config: &Config,
    keyring: &SharedKeyring,
    inlet: &Inlet,
    registry: &Registry,
    token: impl Fn(usize) -> Token,
) -> io::Result<Vec<Box<dyn Source>>> {
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    sources.push(Box::new(key::Keys::start(config, keyring.clone(), inlet.clone(), registry, token(0))));
    sources.extend(boxed(egd::EgdServers::start(config, inlet)?));
    Ok(sources)
}

#[cfg(test)]
impl Delivery {
    /// Makes one that has passed the tests.
    pub(crate) fn fit(from: SourceId, trust: Trust, credited: bool, bytes: &[u8]) -> Self {
        let (bytes, epoch) = (Batch::new(bytes.to_vec()), Epoch::default());
        Self { from, trust, credited, bytes, grade: Grade::Fit, epoch }
    }
}

impl SourceId {
    /// Names a key by the number that users see.
    pub(crate) const fn key(number: u32) -> Self {
        Self(number)
    }

    /// Names the EGD server with this place in the list of those that entropy is fetched from.
    pub(crate) const fn egd(server: usize) -> Self {
        Self(u32::MAX - server as u32)
    }
}

impl Inlet {
    /// Wakes the event loop.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!("cannot wake the daemon: {error}");
        }
    }
}
