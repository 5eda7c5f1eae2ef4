//! Picks the frames that a fault hits: one in each run of `every` frames, at an unpredictable place.

use std::num::NonZeroU32;

use crate::generator::Generator;

/// The hits of one fault.
pub(super) struct Choice {
    generator: Generator,
    every: u32,
    at: u32,
    chosen: u32,
    owed: u32,
}

impl Choice {
    pub(super) fn new(every: NonZeroU32, generator: Generator) -> Self {
        Self { generator, every: every.get(), at: 0, chosen: 0, owed: 0 }
    }

    /// Returns whether the fault hits the next frame. If it cannot (`can`), the hit moves to the next frame that it
    /// can.
    pub(super) fn hits(&mut self, can: bool) -> bool {
        if self.at == 0 {
            self.chosen = self.generator.below(self.every);
        }
        if self.at == self.chosen {
            self.owed += 1;
        }
        self.at = (self.at + 1) % self.every;
        let hit = can && self.owed > 0;
        self.owed -= u32::from(hit);
        hit
    }

    /// Returns the generator for the details of a hit.
    pub(super) const fn generator(&mut self) -> &mut Generator {
        &mut self.generator
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::generator::Stream;

    fn choice(every: u32) -> Choice {
        Choice::new(every.try_into().unwrap(), Seed::from_number(5).generator(Stream::Fault(0)))
    }

    #[test]
    fn each_run_has_one_hit_at_a_varying_place() {
        let mut choice = choice(10);
        let runs: Vec<Vec<bool>> = (0..100).map(|_| (0..10).map(|_| choice.hits(true)).collect()).collect();
        let places: Vec<_> = runs.iter().map(|run| run.iter().position(|hit| *hit)).collect();
        assert!(runs.iter().all(|run| run.iter().filter(|hit| **hit).count() == 1), "{runs:?}");
        assert!((0..10).all(|place| places.contains(&Some(place))), "{places:?}");
    }

    #[test]
    fn every_one_hits_every_frame() {
        let mut choice = choice(1);
        assert!((0..50).all(|_| choice.hits(true)));
    }

    #[test]
    fn a_blocked_hit_moves_to_the_next_frame() {
        let mut choice = choice(4);
        assert!((0..8).all(|_| !choice.hits(false)), "nothing can be hit");
        let made = (0..4).filter(|_| choice.hits(true)).count();
        assert_eq!(made, 3, "two that were owed and one of this run");
    }
}
