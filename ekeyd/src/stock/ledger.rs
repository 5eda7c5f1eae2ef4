//! The books that belong to no single key and no single output.

use ekey_control::KeyStatus;
use ekey_control::books::{Books, KeyBooks};

use crate::daemon::BATCHES_IN_FLIGHT;
use crate::source::key::{Key, KeyRecord};
use crate::stock::pool::MOST_BATCH;

/// What is counted here.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Keys that were let go and whose threads may still have something to hand on.
    departing: Vec<KeyRecord>,
    departed: KeyBooks,
    fetched: u64,
    aside_mixed: u64,
    aside_dropped: u64,
}

impl Ledger {
    /// A key is about to be let go.
    pub(crate) fn part_with(&mut self, key: &Key) {
        self.close_finished();
        self.departing.push(key.record());
    }

    /// Bytes came from an EGD server.
    pub(crate) fn note_fetched(&mut self, bytes: u64) {
        self.fetched += bytes;
    }

    /// Bytes of a key that is put aside were mixed into the kernel, others wiped.
    pub(crate) fn note_aside(&mut self, mixed: u64, dropped: u64) {
        self.aside_mixed += mixed;
        self.aside_dropped += dropped;
    }

    /// The books for the status that has these keys in it.
    pub(crate) fn books(&self, keys: &[KeyStatus]) -> Books {
        let mut departed_keys = self.departed;
        self.departing.iter().for_each(|key| departed_keys += key.books());
        // Batches in the channel, and one in the hands of each thread.
        let batches = BATCHES_IN_FLIGHT + keys.len() + self.departing.len();
        Books {
            departed_keys,
            most_on_the_way_bytes: (batches * MOST_BATCH) as u64,
            fetched_bytes: self.fetched,
            aside_mixed_bytes: self.aside_mixed,
            aside_dropped_bytes: self.aside_dropped,
        }
    }

    /// Adds up the keys whose threads have ended, so that coming and going keys do not pile up.
    fn close_finished(&mut self) {
        let departed = &mut self.departed;
        self.departing.retain(|key| {
            let goes_on = key.is_in_use();
            if !goes_on {
                *departed += key.books();
            }
            goes_on
        });
    }
}
