//! `[pool]`: the entropy that waits for an output.

use super::Section;
use super::table::Table;

/// `[pool]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    /// The most bytes to hold ready for all outputs.
    pub bytes: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self { bytes: 1024 * 1024 }
    }
}

impl Section for Pool {
    const NAME: &'static str = "pool";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        table.renamed("bytes", "egd", "pool-bytes");
        Some(Self { bytes: table.number("bytes", 16_384..=64 * 1024 * 1024).unwrap_or(Self::default().bytes) })
    }
}
