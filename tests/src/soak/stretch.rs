//! A stretch of time in which one key stays plugged in: whatever it sent whole must arrive.

use crate::blocks::BLOCK;

/// Blocks that a key makes at once and logs before it sends them; at most these are in flight when the key is stopped.
const UNDER_WAY: i64 = 78;

/// The beginning of a stretch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stretch {
    /// Bytes that the key had sent.
    pub(super) sent: u64,
    /// Bytes that the daemon had verified.
    pub(super) verified: u64,
    /// How often the daemon had reset the key, and revived it; none if the connection is made after the beginning.
    pub(super) resets: Option<(u64, u64)>,
    /// Whether the daemon was suspended in between, or had another reason to reopen the key.
    pub(super) is_disturbed: bool,
}

impl Stretch {
    /// Returns how many more blocks the key has sent than the daemon verified; negative if it verified more.
    fn lost(self, sent: u64, verified: u64) -> i64 {
        blocks(sent, self.sent) - blocks(verified, self.verified)
    }

    /// Returns whether the blocks in flight at the end or the beginning explain what is missing.
    pub(super) fn is_explained(self, sent: u64, verified: u64) -> bool {
        self.is_disturbed || self.lost(sent, verified).abs() <= UNDER_WAY
    }
}

fn blocks(now: u64, before: u64) -> i64 {
    (now.saturating_sub(before) / BLOCK as u64).cast_signed()
}

/// The whole frames of all stretches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lines {
    /// Stretches without a disturbance.
    pub calm: u64,
    /// Blocks sent whole in those.
    pub calm_blocks: u64,
    /// Of those, blocks in flight at the ends of the stretches, less those at their beginnings.
    pub calm_lost: i64,
    /// Stretches in which the daemon was suspended or reopened the key.
    pub disturbed: u64,
    /// Blocks sent whole in those.
    pub disturbed_blocks: u64,
    /// Of those, blocks that did not arrive.
    pub disturbed_lost: i64,
}

impl Lines {
    /// Returns the blocks sent whole in undisturbed stretches that never arrived.
    #[must_use]
    pub fn missing(&self) -> i64 {
        // More may have arrived than was sent: an earlier disturbed stretch had blocks in flight at its end.
        self.calm_lost.max(0)
    }

    /// Ends a stretch, given the bytes that the key has sent and the daemon verified.
    ///
    /// # Errors
    /// When more is missing or too much, beyond what was in flight at the end or the beginning.
    pub(super) fn end(&mut self, stretch: Stretch, sent: u64, verified: u64) -> Result<(), String> {
        let (is_explained, lost) = (stretch.is_explained(sent, verified), stretch.lost(sent, verified));
        let (sent, verified) = (blocks(sent, stretch.sent), blocks(verified, stretch.verified));
        if stretch.is_disturbed {
            self.disturbed += 1;
            self.disturbed_blocks += sent.cast_unsigned();
            self.disturbed_lost += lost;
            return Ok(());
        }
        self.calm += 1;
        self.calm_blocks += sent.cast_unsigned();
        self.calm_lost += lost;
        if !is_explained {
            return Err(format!(
                "a key sent {sent} frames whole, {verified} were verified, and {UNDER_WAY} may be in flight"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_in_flight_may_be_lost() {
        let mut lines = Lines::default();
        let begun = Stretch { sent: 320, verified: 32, ..Stretch::default() };
        assert_eq!(lines.end(begun, 320 + 32_000, 32 + 32_000 - 78 * 32), Ok(()));
        assert_eq!((lines.calm_blocks, lines.calm_lost), (1000, 78));
        let lost = lines.end(begun, 320 + 32_000, 32 + 32_000 - 79 * 32).unwrap_err();
        assert!(lost.contains("sent 1000") && lost.contains("921 were"), "{lost}");
        assert_eq!(lines.end(begun, 320 + 32_000, 32 + 32_000 + 78 * 32), Ok(()));
        assert!(lines.end(begun, 320, 32 + 79 * 32).is_err());
        assert_eq!(lines.end(Stretch { is_disturbed: true, ..begun }, 32_000, 32), Ok(()));
        assert_eq!(lines.disturbed_lost, 990);
    }
}
