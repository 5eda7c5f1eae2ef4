//! `[health]`: how to test a key's stream, and that of an EGD server that entropy is fetched from.

use ekey_health::Alpha;

use super::Section;
use super::table::Table;

/// `[health]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
    /// Whether to test a key's. An EGD server's is always tested: no MAC vouches for it.
    pub enabled: bool,
    /// The false-alarm rate that the cut-offs are computed from.
    pub alpha: Alpha,
    /// How many good blocks of 2,500 bytes in a row readmit a source that failed.
    pub good_blocks: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self { enabled: true, alpha: Alpha::default(), good_blocks: 128 }
    }
}

impl Section for Health {
    const NAME: &'static str = "health";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let default = Self::default();
        let alpha = table.parsed("alpha", "a false-alarm rate from \"2^-20\" to \"2^-60\"", |text| text.parse().ok());
        Some(Self {
            enabled: table.flag("enabled").unwrap_or(default.enabled),
            alpha: alpha.unwrap_or(default.alpha),
            // The bias test looks at 64 blocks: fewer good ones prove nothing.
            good_blocks: table.number("good-blocks", 64..=100_000).unwrap_or(default.good_blocks),
        })
    }
}
