//! What the key says about its own health each second: values that drift slowly around those of a real key.

use std::time::Duration;

use ekey_proto::wire::Badness;

use crate::generator::Generator;

const INTERVAL: Duration = Duration::from_secs(1);
/// Lowest and highest value of a warm key on a good port, in 0.1 K and mV.
const TEMPERATURE: (u32, u32) = (3090, 3210);
const VOLTAGE: (u32, u32) = (3235, 3275);
/// Blocks after which the key clears its FIPS counts.
const COUNTED_BLOCKS: u32 = 10_000;
/// One block of good randomness in this many fails FIPS 140-2.
const BLOCKS_A_FAILURE: u32 = 1250;
/// Raw bytes of a generator after which its estimates start again.
const SNAPSHOT: u32 = 10_000;
/// Lowest and highest estimate for 10,000 raw bytes of a real key, in shannons.
const SHANNONS: (u32, u32) = (29_300, 29_700);

/// What the key knows about itself.
pub(super) struct Information {
    generator: Generator,
    due: Duration,
    temperature: u32,
    voltage: u32,
    blocks: u32,
    failures: u32,
    monobit: u32,
    poker: u32,
    runs: u32,
    fade: Option<Duration>,
}

impl Information {
    pub(super) fn new(mut generator: Generator, fade: Option<Duration>) -> Self {
        let temperature = generator.between(TEMPERATURE.0 + 20, TEMPERATURE.1 - 20);
        let voltage = generator.between(VOLTAGE.0 + 10, VOLTAGE.1 - 10);
        let (blocks, failures, monobit, poker, runs) = (0, 0, 0, 0, 0);
        Self { generator, due: INTERVAL, temperature, voltage, blocks, failures, monobit, poker, runs, fade }
    }

    /// Returns when the key reports next.
    pub(super) const fn due(&self) -> Duration {
        self.due
    }

    /// Counts a block, and draws whether it has failed its FIPS test.
    pub(super) fn count_block(&mut self) {
        if self.blocks == COUNTED_BLOCKS {
            (self.blocks, self.failures, self.monobit, self.poker, self.runs) = (0, 0, 0, 0, 0);
        }
        self.blocks += 1;
        if self.generator.below(BLOCKS_A_FAILURE) == 0 {
            self.failures += 1;
            match self.generator.below(4) {
                0 => self.monobit += 1,
                1 => self.poker += 1,
                _ => self.runs += 1,
            }
        }
    }

    /// Returns the texts of this second's frames.
    pub(super) fn texts(&mut self, now: Duration, badness: Badness) -> [String; 3] {
        // Do not make up for seconds in which the host did not listen.
        self.due = Duration::from_secs(now.as_secs()) + INTERVAL;
        self.temperature = self.drift(self.temperature, 2, TEMPERATURE);
        self.voltage = self.drift(self.voltage, 3, VOLTAGE);
        let climate = format!("T{:05} V{:05}", self.temperature, self.voltage);
        let Self { blocks, failures, monobit, poker, runs, .. } = self;
        let fips = format!("F{blocks:05}:{failures:05}:{monobit:05}:{poker:05}:{runs:05}");
        let fallen = self.fade.and_then(|fade| now.checked_sub(fade)).map_or(0, |since| since.as_secs() as u32);
        [climate, fips, self.generators(badness, fallen)]
    }

    /// Returns the largest claims that frames can hold: numbers at the limit of 32 bits, or beyond it.
    pub(super) fn boasts(&mut self, now: Duration) -> [String; 3] {
        const MOST: u32 = u32::MAX;
        self.due = Duration::from_secs(now.as_secs()) + INTERVAL;
        if self.generator.below(2) == 0 {
            let climate = format!("T{MOST} V{MOST}");
            let fips = format!("F{MOST}:{MOST}:{MOST}:{MOST}:9");
            return [climate, fips, format!("S9:{MOST}:{MOST}:{MOST}:9:9:9:9:0")];
        }
        ["T", "F", "S"].map(|letter| format!("{letter}{}", "9".repeat(49)))
    }

    /// `fallen` is how far the left generator's estimate has fallen, in percent.
    fn generators(&mut self, badness: Badness, fallen: u32) -> String {
        let raw = self.generator.between(SNAPSHOT / 10, SNAPSHOT);
        let left_bytes = self.generator.between(SNAPSHOT / 10, SNAPSHOT);
        let right_bytes = self.generator.between(SNAPSHOT / 10, SNAPSHOT);
        let [left, right, xor] = [raw; 3].map(|bytes| self.estimate(bytes));
        let left = left - left * fallen.min(50) / 100;
        let [debiased_left, debiased_right] = [left_bytes, right_bytes].map(|bytes| self.estimate(bytes));
        format!(
            "S{raw:05}:{left:05}:{right:05}:{xor:05}:{left_bytes:05}:{debiased_left:05}:{right_bytes:05}:\
             {debiased_right:05}:{}",
            badness.code()
        )
    }

    fn estimate(&mut self, bytes: u32) -> u32 {
        bytes * self.generator.between(SHANNONS.0, SHANNONS.1) / SNAPSHOT
    }

    fn drift(&mut self, value: u32, step: u32, (low, high): (u32, u32)) -> u32 {
        (value + self.generator.below(2 * step + 1)).saturating_sub(step).clamp(low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::generator::Stream;
    use ekey_proto::wire::Info;

    #[test]
    fn values_stay_plausible_and_move_slowly_for_hours() {
        let mut information = Information::new(Seed::from_number(1).generator(Stream::Information), None);
        let mut before = None;
        for second in 1..20_000 {
            information.count_block();
            let texts = information.texts(Duration::from_secs(second), Badness::NONE);
            assert_eq!(texts[2].len(), 50, "the S block fills the frame: {}", texts[2]);
            let [climate, fips, state] = texts.map(|text| Info::parse(text.as_bytes()).expect("readable"));
            let (temperature, voltage) = (climate.temperature.unwrap(), climate.voltage.unwrap());
            assert!((3090..=3210).contains(&temperature) && (3235..=3275).contains(&voltage));
            let step = before.map_or(0, |before: u32| before.abs_diff(temperature));
            assert!(step <= 2, "{step} tenths of a kelvin in a second");
            before = Some(temperature);

            let fips = fips.fips.unwrap();
            assert_eq!(fips.failures, fips.monobit + fips.poker + fips.runs);
            assert!(fips.failures * 100 <= fips.blocks + 500, "{fips:?}");

            let state = state.generators.unwrap();
            for (bytes, shannons) in [(state.raw_bytes, state.left), (state.debiased_right_bytes, state.debiased_right)]
            {
                assert!(shannons > 2 * bytes && shannons < 8 * bytes, "{shannons} shannons in {bytes} bytes");
            }
        }
    }

    #[test]
    fn missed_seconds_are_not_made_up_for() {
        let mut information = Information::new(Seed::from_number(1).generator(Stream::Information), None);
        assert_eq!(information.due(), Duration::from_secs(1));
        let _ = information.texts(Duration::from_millis(9_700), Badness::NONE);
        assert_eq!(information.due(), Duration::from_secs(10));
    }
}
