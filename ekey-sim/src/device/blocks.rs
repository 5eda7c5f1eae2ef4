//! Blocks of 20,000 bits: when the next one is ready, its 78 pieces, and when the key asks for a session to send it in.

use std::time::Duration;

use crate::BadSource;
use crate::generator::Generator;

/// Pieces of 32 bytes in a block. Each makes one frame.
pub(super) const FRAMES: usize = 78;
/// Frames per second of a real key on a PC.
pub(super) const REAL_RATE: u32 = 126;
/// Longest interval between two requests for a session, so that a slow key does not make a host wait for minutes.
const LONGEST_PLEA: Duration = Duration::from_secs(1);
/// Shortest wait between a reset and the next request for a session. The original software answers each frame that it
/// does not expect with a reset, so it settles only if no new session starts before it has heard the last of them. A
/// real key's next block takes that long anyway; a key without a rate limit would never pause.
const REST: Duration = Duration::from_millis(100);

/// The blocks of one key. While one block waits to be sent, the key makes the next one, and no more.
pub(super) struct Blocks {
    generator: Generator,
    fresh: Generator,
    source: Option<BadSource>,
    made: u64,
    interval: Duration,
    between_pleas: Duration,
    ready_at: Duration,
    plea_at: Duration,
    bytes: [u8; FRAMES * 32],
    used: usize,
}

impl Blocks {
    /// Has one block ready at once, then makes `rate` frames per second; 0 means no limit.
    pub(super) fn new(generator: Generator, rate: u32, source: Option<BadSource>) -> Self {
        let at_rate = |rate: u32| Duration::from_secs(FRAMES as u64) / rate;
        Self {
            fresh: generator.duplicate(),
            generator,
            source,
            made: 0,
            interval: if rate == 0 { Duration::ZERO } else { at_rate(rate) },
            between_pleas: at_rate(if rate == 0 { REAL_RATE } else { rate }).min(LONGEST_PLEA),
            ready_at: Duration::ZERO,
            plea_at: Duration::ZERO,
            bytes: [0; FRAMES * 32],
            used: FRAMES,
        }
    }

    /// Returns when there is something to send in a session.
    pub(super) const fn ready_at(&self) -> Duration {
        if self.used < FRAMES { Duration::ZERO } else { self.ready_at }
    }

    /// Returns when the key asks for a session, if it has none.
    pub(super) fn plea_at(&self) -> Duration {
        self.plea_at.max(self.ready_at())
    }

    /// Makes the next block if the current one is used up. Returns whether it did. Call it at `ready_at` or later.
    pub(super) fn begin(&mut self, now: Duration) -> bool {
        if self.used < FRAMES {
            return false;
        }
        self.generator.fill(&mut self.bytes);
        if let Some(source) = &self.source {
            source.spoil(self.made, &mut self.bytes, &self.fresh);
        }
        self.made += 1;
        self.used = 0;
        // Catch up by one block at most: the one that was made while this one waited.
        self.ready_at = self.ready_at.max(now.saturating_sub(self.interval)) + self.interval;
        true
    }

    /// Returns the next piece of the block, or `None` if the block is used up.
    pub(super) fn next(&mut self) -> Option<[u8; 32]> {
        let piece = self.bytes.as_chunks().0.get(self.used).copied()?;
        self.used += 1;
        Some(piece)
    }

    /// Records that the key has asked for a session.
    pub(super) fn has_asked(&mut self, now: Duration) {
        self.plea_at = now + self.between_pleas;
    }

    /// Makes the key ask now, because its sequence numbers have run out.
    pub(super) const fn ask_at_once(&mut self, now: Duration) {
        self.plea_at = now;
    }

    /// Makes the key ask when the next block is ready, because a reset has ended the session.
    pub(super) fn ask_with_next_block(&mut self, now: Duration) {
        self.plea_at = self.ready_at.clamp(now + REST, now + self.between_pleas.max(REST));
    }
}
