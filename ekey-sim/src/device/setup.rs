//! The settings of a software key.

use std::time::Duration;

use ekey_proto::{LongTermKey, MasterKey, Serial};

use super::blocks;
use crate::generator::{Seed, Stream};
use crate::{BadSource, Fault, Flood, Wedge};

/// Entropy frames per second of a real key on a PC, 32 bytes each.
pub const DEFAULT_RATE: u32 = blocks::REAL_RATE;

/// The settings of a software key.
pub struct Setup {
    /// The serial number.
    pub serial: Serial,
    /// The long-term key in the key's flash.
    pub long_term_key: LongTermKey,
    /// The master key on the key's card.
    pub master_key: MasterKey,
    /// The seed that determines all that the key sends.
    pub seed: Seed,
    /// Entropy frames per second; 0: as fast as the host reads.
    pub rate: u32,
    /// The faults. If two are of one kind, the last one counts.
    pub faults: Vec<Fault>,
    /// The hang, if the key is to hang.
    pub wedge: Option<Wedge>,
    /// What it sends without end, if the key is hostile.
    pub flood: Option<Flood>,
    /// The bad source, if the generators are to go bad without the key noticing.
    pub source: Option<BadSource>,
    /// When the key's own estimate of the left generator begins to fall.
    pub fade: Option<Duration>,
}

impl Setup {
    /// Returns a healthy key with a real key's rate. Its serial number and secrets follow from the seed.
    #[must_use]
    pub fn from_seed(seed: Seed) -> Self {
        let mut secrets = seed.generator(Stream::Secrets);
        Self {
            serial: seed.serial(),
            long_term_key: LongTermKey::from_bytes(secrets.bytes()),
            master_key: MasterKey::from_bytes(secrets.bytes()),
            seed,
            rate: DEFAULT_RATE,
            faults: Vec::new(),
            wedge: None,
            flood: None,
            source: None,
            fade: None,
        }
    }
}
