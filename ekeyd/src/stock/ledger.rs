//! The account of what passes between sources and stock.

use ekey_control::books::Books;

use crate::source::{Delivery, MOST_BATCH, Trust};

/// Counts what does not belong to a single source or outlet.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    fetched: u64,
    /// Of keys.
    unfit: Unfit,
    /// Of EGD servers.
    fetched_unfit: Unfit,
}

/// Bytes that failed a test.
#[derive(Debug, Default)]
struct Unfit {
    mixed: u64,
    dropped: u64,
}

impl Ledger {
    /// Notes a delivery that goes into the stock.
    pub(crate) fn note_taken(&mut self, delivery: &Delivery) {
        if delivery.trust == Trust::Unproven {
            self.fetched += delivery.bytes.len() as u64;
        }
    }

    /// Notes a delivery that failed a test. `mixed` bytes of it went into the kernel without credit; the rest is wiped.
    pub(crate) fn note_unfit(&mut self, delivery: &Delivery, mixed: usize) {
        let unfit = match delivery.trust {
            Trust::Proven => &mut self.unfit,
            Trust::Unproven => &mut self.fetched_unfit,
        };
        unfit.mixed += mixed as u64;
        unfit.dropped += (delivery.bytes.len() - mixed) as u64;
    }

    /// Returns the account. Up to `deliveries` deliveries may be between sources and stock.
    pub(crate) fn books(&self, deliveries: usize) -> Books {
        Books {
            most_on_the_way_bytes: (deliveries * MOST_BATCH) as u64,
            fetched_bytes: self.fetched,
            aside_mixed_bytes: self.unfit.mixed,
            aside_dropped_bytes: self.unfit.dropped,
            fetched_aside_mixed_bytes: self.fetched_unfit.mixed,
            fetched_aside_dropped_bytes: self.fetched_unfit.dropped,
            ..Books::default()
        }
    }
}
