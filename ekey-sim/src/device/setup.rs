//! What a software key is, before it is powered up.

use std::time::Duration;

use ekey_proto::{LongTermKey, MasterKey, Serial};

use super::blocks;
use crate::generator::{Seed, Stream};
use crate::{BadSource, Fault, Wedge};

/// The rate of a real key on a PC: 126 frames of 32 bytes a second.
pub const DEFAULT_RATE: u32 = blocks::REAL_RATE;

/// Everything that makes a software key what it is.
pub struct Setup {
    /// Its serial number.
    pub serial: Serial,
    /// The long-term key in its flash.
    pub long_term_key: LongTermKey,
    /// The master key on its card.
    pub master_key: MasterKey,
    /// What all that it sends follows from.
    pub seed: Seed,
    /// Entropy frames a second; 0: as fast as they are taken.
    pub rate: u32,
    /// What goes wrong. Of several of one kind the last counts.
    pub faults: Vec<Fault>,
    /// Whether it hangs.
    pub wedge: Option<Wedge>,
    /// Whether its generators go bad without its noticing.
    pub source: Option<BadSource>,
    /// After how many seconds its own estimate for the left generator begins to fall.
    pub fade: Option<Duration>,
}

impl Setup {
    /// A healthy key at a real key's rate, whose serial number and secrets follow from the seed.
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
            source: None,
            fade: None,
        }
    }
}
