//! The host's nonces, which go into session keys. Each is new, so that a recorded session is never taken a second time.
//!
//! A nonce is a hash of all that may be new: a counter on disk, the boot's id, the clocks, and the kernel's generator. One of them
//! is enough. Before the kernel's generator is ready its bytes may repeat, a board without a clock always starts at the same time,
//! and the boot's id comes from that generator: then only the counter is certain.

mod counter;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use ekey_control::status::NonceStatus;
use ekey_proto::Nonce;
use nix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};

use crate::urandom;
use crate::worker::lock;
use counter::Counter;

/// Distinguishes these hashes from any others.
const PURPOSE: &[u8] = b"ekeyd nonce 1";
/// Bytes of the kernel's generator in each nonce.
const RANDOM: usize = 32;

/// Makes nonces. Clones share one counter.
#[derive(Clone)]
pub(crate) struct Nonces {
    host: Host,
    state: Arc<Mutex<State>>,
}

/// A nonce, and what it is worth.
pub(crate) struct Fresh {
    /// For the key.
    pub nonce: Nonce,
    /// Whether it is certain that there was never the same: by the counter, or by the kernel's generator.
    pub is_certain: bool,
    /// Whether it was made before the kernel's generator was ready.
    pub is_early: bool,
}

/// The parts of the machine that go into a nonce, so that tests can replace them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    /// Fills a buffer from the kernel's generator, which may not be ready.
    pub random: fn(&mut [u8]) -> io::Result<()>,
    /// Whether the kernel's generator is ready.
    pub is_ready: fn() -> bool,
    /// The boot's id, or nothing where it is hidden.
    pub boot_id: fn() -> Vec<u8>,
    /// The time since 1970 and since the boot, in nanoseconds.
    pub clocks: fn() -> [i128; 2],
}

impl Default for Host {
    /// This machine.
    fn default() -> Self {
        Self {
            random: urandom::fill,
            is_ready: urandom::is_ready,
            boot_id: || fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            clocks: || [ClockId::CLOCK_REALTIME, ClockId::CLOCK_BOOTTIME].map(nanoseconds),
        }
    }
}

struct State {
    counter: Counter,
    /// Nonces made since the start.
    made: u64,
    boot_id: Option<Vec<u8>>,
}

impl Nonces {
    /// Makes nonces with the counter in `folder`. Opens no file yet.
    pub(crate) fn new(folder: &Path, host: Host) -> Self {
        let state = State { counter: Counter::at(folder), made: 0, boot_id: None };
        Self { host, state: Arc::new(Mutex::new(state)) }
    }

    /// Returns the next nonce. Does not wait for the kernel's generator.
    ///
    /// # Errors
    /// `/dev/urandom` cannot be read.
    pub(crate) fn next(&self) -> io::Result<Fresh> {
        // Before the bytes: a generator that becomes ready later may not have been when it made them.
        let is_ready = self.is_ready();
        let mut random = [0; RANDOM];
        (self.host.random)(&mut random)?;
        let mut start = [0; size_of::<u128>()];
        (self.host.random)(&mut start)?;
        let mut state = lock(&self.state);
        state.made += 1;
        let count = state.counter.next(is_ready.then(|| u128::from_be_bytes(start)));
        let boot_id = state.boot_id.get_or_insert_with(self.host.boot_id).clone();
        let [since_1970, since_boot] = (self.host.clocks)();
        // Every part but the last has a fixed length, so no two inputs are alike.
        let hash = Sha256::new()
            .chain_update(PURPOSE)
            .chain_update([u8::from(count.is_some())])
            .chain_update(count.unwrap_or_default().to_be_bytes())
            .chain_update(state.made.to_be_bytes())
            .chain_update(since_1970.to_be_bytes())
            .chain_update(since_boot.to_be_bytes())
            .chain_update(random)
            .chain_update(&boot_id)
            .finalize();
        let [a, b, c, d, rest @ ..] = std::array::from_fn::<u8, { Nonce::LEN }, _>(|at| hash[at]);
        let nonce = Nonce::new(u32::from_le_bytes([a, b, c, d]), rest);
        Ok(Fresh { nonce, is_certain: is_ready || count.is_some(), is_early: !is_ready })
    }

    /// Returns whether the kernel's generator is ready.
    pub(crate) fn is_ready(&self) -> bool {
        (self.host.is_ready)()
    }

    /// Reports the counter.
    pub(crate) fn status(&self) -> NonceStatus {
        let state = lock(&self.state);
        NonceStatus { file: state.counter.file().display().to_string(), problem: state.counter.problem() }
    }
}

fn nanoseconds(clock: ClockId) -> i128 {
    clock_gettime(clock).map_or(0, |time| i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()))
}

#[cfg(test)]
mod tests;
