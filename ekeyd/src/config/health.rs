//! `[health]`: how a key's stream is judged.

use ekey_health::Alpha;

use super::section::{Notes, Section};

/// The keys of the section.
pub(super) const KEYS: [&str; 3] = ["enabled", "alpha", "good-blocks"];

/// `[health]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
    /// Whether to judge it at all.
    pub enabled: bool,
    /// The false-alarm rate that the cut-offs are computed from.
    pub alpha: Alpha,
    /// After how many good blocks of 2,500 bytes in a row a key that was put aside is taken back.
    pub good_blocks: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self { enabled: true, alpha: Alpha::default(), good_blocks: 128 }
    }
}

/// Reads the section.
pub(super) fn read(notes: &mut Notes<'_>, section: &Section<'_>) -> Health {
    let due = Health::default();
    // Bias is judged over 64 blocks: fewer good ones would say nothing of it.
    let good_blocks = section.number(notes, "good-blocks", 64..=100_000);
    Health {
        enabled: section.flag(notes, "enabled", due.enabled),
        alpha: alpha(notes, section).unwrap_or(due.alpha),
        good_blocks: good_blocks.and_then(|blocks| u32::try_from(blocks).ok()).unwrap_or(due.good_blocks),
    }
}

fn alpha(notes: &mut Notes<'_>, section: &Section<'_>) -> Option<Alpha> {
    let due = "a false-alarm rate from \"2^-20\" to \"2^-60\"";
    let (at, text) = section.text(notes, "alpha", due)?;
    let alpha = text.parse().ok();
    if alpha.is_none() {
        notes.note(at, format!("`alpha` is `{}`; expected {due}", super::read::shown(text)));
    }
    alpha
}
