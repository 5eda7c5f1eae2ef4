//! What is fetched from another machine's EGD server, and how much of it: no more than somebody here waits for.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Daemon;
use super::hand_out::{FILE_BATCH, egd_reserve};
use crate::config;
use crate::source::egd::EgdClient;

/// No more than this is asked for at a time, however many clients wait.
const MOST_FOR_CLIENTS: usize = 4096;

/// Starts the client, if the configuration names a server.
///
/// # Errors
/// Whatever keeps the system from making a thread.
pub(super) fn start(config: Option<&config::EgdClient>, waker: &Arc<mio::Waker>) -> io::Result<Option<EgdClient>> {
    let Some(config) = config else { return Ok(None) };
    let waker = Arc::clone(waker);
    EgdClient::start(config, Box::new(move || drop(waker.wake()))).map(Some)
}

impl Daemon {
    /// Moves what was fetched into the pool, unless bytes of a key that the file wants would have to make room for it.
    pub(super) fn take_fetched(&mut self) {
        let room = if self.file_takes() { self.pool.room() } else { usize::MAX };
        if let Some(batch) = self.egd_client.as_ref().and_then(|client| client.take(room)) {
            self.ledger.note_fetched(batch.len() as u64);
            self.pool.put(batch);
            self.say_ready("the first entropy has come from an EGD server; no MAC proves it");
        }
    }

    /// Tells the client what is wanted: what the kernel takes now, what clients wait for, and what is lacking of the reserve.
    /// A file output wants all there is. While keys fill the pool, nothing is.
    pub(super) fn ask_for_more(&mut self) {
        let Some(client) = &self.egd_client else { return };
        let now = Instant::now();
        let kernel = self.kernel.as_mut().map_or(0, |kernel| kernel.wants(now));
        // What is fetched is of no key, so where keys are combined the clients get none of it.
        let waiting = if self.combiner.is_some() { 0 } else { self.egd.wanted(MOST_FOR_CLIENTS).min(MOST_FOR_CLIENTS) };
        let reserve = self.config.egd_client.as_ref().map_or(0, |config| config.reserve_bytes);
        let file = if self.file_takes() { egd_reserve(&self.egd, &self.pool) + FILE_BATCH } else { 0 };
        let due = (kernel + waiting + reserve).max(file).min(self.pool.capacity());
        client.want(due.saturating_sub(self.pool.len()));
    }

    fn file_takes(&self) -> bool {
        self.file.as_ref().is_some_and(|file| !file.is_over())
    }
}
