//! `[kernel]`: feeding this machine's kernel.

use std::time::Duration;

use super::Section;
use super::table::Table;

/// `[kernel]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// Whether to feed it.
    pub enabled: bool,
    /// Bits of entropy to credit for each byte, 1 to 8.
    pub bits_per_byte: u8,
    /// How often to feed it once it is seeded.
    pub interval: Duration,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { enabled: true, bits_per_byte: 7, interval: Duration::from_secs(60) }
    }
}

impl Section for Kernel {
    const NAME: &'static str = "kernel";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let default = Self::default();
        Some(Self {
            enabled: table.flag("enabled").unwrap_or(default.enabled),
            bits_per_byte: table.number("bits-per-byte", 1..=8).unwrap_or(default.bits_per_byte),
            interval: table.seconds("interval-s", 1..=3600).unwrap_or(default.interval),
        })
    }
}
