//! The account of what passes between sources and stock.

use ekey_control::books::Books;

use crate::source::{Delivery, MOST_BATCH, Trust};

/// Counts what does not belong to a single source or outlet.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    unproven: u64,
    mixed: u64,
    dropped: u64,
}

impl Ledger {
    /// Notes a delivery that goes into the stock.
    pub(crate) fn note_taken(&mut self, delivery: &Delivery) {
        if delivery.trust == Trust::Unproven {
            self.unproven += delivery.bytes.len() as u64;
        }
    }

    /// Notes a delivery that failed a test. `mixed` bytes of it went into the kernel without credit; the rest is wiped.
    pub(crate) fn note_unfit(&mut self, bytes: usize, mixed: usize) {
        self.mixed += mixed as u64;
        self.dropped += (bytes - mixed) as u64;
    }

    /// Returns the account. Up to `deliveries` deliveries may be between sources and stock.
    pub(crate) fn books(&self, deliveries: usize) -> Books {
        Books {
            most_on_the_way_bytes: (deliveries * MOST_BATCH) as u64,
            fetched_bytes: self.unproven,
            aside_mixed_bytes: self.mixed,
            aside_dropped_bytes: self.dropped,
            ..Books::default()
        }
    }
}
