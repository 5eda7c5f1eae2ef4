//! Blocks of 20,000 bits: when one is ready, its 78 pieces, and how often the key asks for a session to send it in.

use std::time::Duration;

use crate::generator::Generator;

/// Pieces of 32 bytes in a block, each of which makes a frame.
pub(super) const FRAMES: usize = 78;
/// Frames a second of a real key on a PC.
pub(super) const REAL_RATE: u32 = 126;
/// A key whose rate is set low asks for a session at least this often, so that a host need not wait for minutes.
const LONGEST_PLEA: Duration = Duration::from_secs(1);
/// A key that was reset asks for a session no sooner. The original software answers every frame that it does not expect
/// with a reset; it comes to rest only if there is no new session before the last of them has been heard. A real key's
/// next block takes long enough for that, one without a limit to its rate would never let it.
const REST: Duration = Duration::from_millis(100);

/// The blocks of one key. While one waits to be sent, the next is made, but none after that.
pub(super) struct Blocks {
    generator: Generator,
    interval: Duration,
    between_pleas: Duration,
    ready_at: Duration,
    plea_at: Duration,
    bytes: [u8; FRAMES * 32],
    used: usize,
}

impl Blocks {
    /// The first block is ready at once; then so many frames a second, or 0 for no limit.
    pub(super) fn new(generator: Generator, rate: u32) -> Self {
        let at_rate = |rate: u32| Duration::from_secs(FRAMES as u64) / rate;
        Self {
            generator,
            interval: if rate == 0 { Duration::ZERO } else { at_rate(rate) },
            between_pleas: at_rate(if rate == 0 { REAL_RATE } else { rate }).min(LONGEST_PLEA),
            ready_at: Duration::ZERO,
            plea_at: Duration::ZERO,
            bytes: [0; FRAMES * 32],
            used: FRAMES,
        }
    }

    /// When there is something to send in a session.
    pub(super) const fn ready_at(&self) -> Duration {
        if self.used < FRAMES { Duration::ZERO } else { self.ready_at }
    }

    /// When to ask for a session, if there is none.
    pub(super) fn plea_at(&self) -> Duration {
        self.plea_at.max(self.ready_at())
    }

    /// Makes the next block if the one before is used up. Returns whether it did; only when it is ready.
    pub(super) fn begin(&mut self, now: Duration) -> bool {
        if self.used < FRAMES {
            return false;
        }
        self.generator.fill(&mut self.bytes);
        self.used = 0;
        // Made up for is at most one block: the one that was made while this one waited.
        self.ready_at = self.ready_at.max(now.saturating_sub(self.interval)) + self.interval;
        true
    }

    /// The next piece of the block, or `None` if it is used up.
    pub(super) fn next(&mut self) -> Option<[u8; 32]> {
        let piece = self.bytes.as_chunks().0.get(self.used).copied()?;
        self.used += 1;
        Some(piece)
    }

    /// The key has asked for a session.
    pub(super) fn has_asked(&mut self, now: Duration) {
        self.plea_at = now + self.between_pleas;
    }

    /// The sequence numbers have run out, which the key says at once.
    pub(super) const fn ask_at_once(&mut self, now: Duration) {
        self.plea_at = now;
    }

    /// The session has ended by a reset: the key asks when the next block is ready.
    pub(super) fn ask_with_next_block(&mut self, now: Duration) {
        self.plea_at = self.ready_at.clamp(now + REST, now + self.between_pleas.max(REST));
    }
}
