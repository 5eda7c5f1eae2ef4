//! The figures of the last ten minutes and the last day, in two rings of fixed size: 408 steps of 24 bytes, 10 KB in all.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ekey_control::history::{COARSE_STEP_S, COARSE_STEPS, FINE_STEP_S, FINE_STEPS, FORMAT, History, Series};
use nix::time::{ClockId, clock_gettime};

const STEP: Duration = Duration::from_secs(FINE_STEP_S as u64);
/// Fine steps per coarse step.
const TOGETHER: usize = (COARSE_STEP_S / FINE_STEP_S) as usize;

/// The daemon's figures at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Verified bytes since the start.
    pub received: u64,
    /// Bytes in the pool.
    pub pool: u64,
    /// The hottest key's temperature in tenths of a kelvin.
    pub temperature: Option<u32>,
    /// Each key's counts.
    pub keys: Vec<Totals>,
}

/// One key's counts since it was added.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    /// The key's number.
    pub key: u32,
    /// Rejected frames.
    pub rejected: u64,
    /// Successful recoveries.
    pub recoveries: u64,
}

/// The figures of one step, or of several merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    rate: u32,
    pool: u32,
    temperature: Option<u32>,
    rejected: u32,
    recoveries: u32,
}
const _: () = assert!(size_of::<Option<Point>>() <= 24, "the rings are larger than the first paragraph says");

/// Records the figures step by step.
pub(crate) struct Recorder {
    fine: VecDeque<Option<Point>>,
    coarse: VecDeque<Option<Point>>,
    /// Fine steps since the last coarse one.
    since_coarse: usize,
    last: Sample,
    /// When the newest step ended, by CLOCK_BOOTTIME, which includes suspension.
    end: Duration,
    next: Instant,
}

impl Recorder {
    /// Starts without any steps.
    pub(crate) fn new() -> Self {
        Self::starting_at(since_boot())
    }

    fn starting_at(end: Duration) -> Self {
        Self {
            fine: VecDeque::with_capacity(FINE_STEPS),
            coarse: VecDeque::with_capacity(COARSE_STEPS),
            since_coarse: 0,
            last: Sample::default(),
            end,
            next: Instant::now() + STEP,
        }
    }

    /// Returns when to call [`note`](Self::note) next.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Records the present figures.
    pub(crate) fn note(&mut self, sample: Sample) {
        let at = since_boot();
        self.note_at(at, sample);
        self.next = Instant::now() + STEP.saturating_sub(at.saturating_sub(self.end));
    }

    fn note_at(&mut self, at: Duration, sample: Sample) {
        let elapsed = at.saturating_sub(self.end);
        let steps = (elapsed.as_millis() / STEP.as_millis()) as usize;
        if steps == 0 {
            return;
        }
        // After more than one step the machine was suspended, and the missing steps have no figures.
        for _ in 1..steps.min(TOGETHER * COARSE_STEPS) {
            self.push(None);
        }
        let received = sample.received.saturating_sub(self.last.received);
        let mut point = Point {
            rate: narrow((received as f64 / elapsed.as_secs_f64()).round() as u64),
            pool: narrow(sample.pool),
            temperature: sample.temperature,
            rejected: 0,
            recoveries: 0,
        };
        for key in &sample.keys {
            let before = self.last.keys.iter().find(|before| before.key == key.key).copied().unwrap_or_default();
            point.rejected = point.rejected.saturating_add(narrow(key.rejected.saturating_sub(before.rejected)));
            point.recoveries =
                point.recoveries.saturating_add(narrow(key.recoveries.saturating_sub(before.recoveries)));
        }
        self.push(Some(point));
        self.last = sample;
        self.end += STEP * u32::try_from(steps).unwrap_or(u32::MAX);
    }

    fn push(&mut self, point: Option<Point>) {
        push(&mut self.fine, FINE_STEPS, point);
        self.since_coarse += 1;
        if self.since_coarse == TOGETHER {
            self.since_coarse = 0;
            let newest = self.fine.iter().rev().take(TOGETHER).flatten();
            push(&mut self.coarse, COARSE_STEPS, together(newest));
        }
    }

    /// Returns all recorded figures.
    pub(crate) fn history(&self) -> History {
        self.history_at(since_boot(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn history_at(&self, at: Duration, wall: Duration) -> History {
        let end = wall.saturating_sub(at.saturating_sub(self.end)).as_secs();
        let open = self.since_coarse as u64 * u64::from(FINE_STEP_S);
        History {
            format: FORMAT,
            fine: series(FINE_STEP_S, end, &self.fine),
            coarse: series(COARSE_STEP_S, end.saturating_sub(open), &self.coarse),
        }
    }
}

fn push(ring: &mut VecDeque<Option<Point>>, most: usize, point: Option<Point>) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(point);
}

fn together<'p>(points: impl Iterator<Item = &'p Point>) -> Option<Point> {
    let (mut rates, mut count) = (0_u64, 0);
    let sum = points.copied().reduce(|left, right| {
        rates += u64::from(right.rate);
        count += 1;
        Point {
            rate: left.rate,
            pool: left.pool.min(right.pool),
            temperature: left.temperature.max(right.temperature),
            rejected: left.rejected.saturating_add(right.rejected),
            recoveries: left.recoveries.saturating_add(right.recoveries),
        }
    })?;
    Some(Point { rate: narrow((rates + u64::from(sum.rate)) / (count + 1)), ..sum })
}

fn series(step_s: u32, end_unix_s: u64, ring: &VecDeque<Option<Point>>) -> Series {
    let column =
        |of: fn(&Point) -> Option<u32>| ring.iter().map(|point| point.as_ref().and_then(of).map(u64::from)).collect();
    Series {
        step_s,
        end_unix_s,
        rate_bytes_per_s: column(|point| Some(point.rate)),
        pool_bytes: column(|point| Some(point.pool)),
        temperature_decikelvin: column(|point| point.temperature),
        rejected_frames: column(|point| Some(point.rejected)),
        recoveries: column(|point| Some(point.recoveries)),
    }
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn since_boot() -> Duration {
    // Available since Linux 2.6.39. Without it every step is ignored.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Duration = Duration::from_secs(1_700_000_000);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1000 + seconds)
    }

    fn sample(received: u64, pool: u64, temperature: u32, keys: &[(u32, u64, u64)]) -> Sample {
        let keys = keys.iter().map(|&(key, rejected, recoveries)| Totals { key, rejected, recoveries }).collect();
        Sample { received, pool, temperature: Some(temperature), keys }
    }

    #[test]
    fn a_step_has_its_rate_level_and_counts() {
        let mut recorder = Recorder::starting_at(at(0));
        recorder.note_at(at(5), sample(20_000, 100, 3188, &[(1, 2, 0)]));
        recorder.note_at(at(10), sample(20_500, 50, 3190, &[(1, 5, 1), (2, 4, 0)]));
        recorder.note_at(at(15), sample(20_500, 50, 3190, &[(2, 4, 0)]));
        recorder.note_at(at(20), sample(20_500, 50, 3190, &[(1, 1, 0), (2, 4, 0)]));
        let fine = recorder.history_at(at(20), WALL).fine;
        assert_eq!(fine.rate_bytes_per_s, [4000, 100, 0, 0].map(Some));
        assert_eq!(fine.pool_bytes, [100, 50, 50, 50].map(Some));
        assert_eq!(fine.temperature_decikelvin, [3188, 3190, 3190, 3190].map(Some));
        assert_eq!(fine.rejected_frames, [2, 7, 0, 1].map(Some), "removing a key must not subtract its counts");
        assert_eq!(fine.recoveries, [0, 1, 0, 0].map(Some));
    }

    #[test]
    fn sixty_steps_merge_into_a_coarse_one() {
        let mut recorder = Recorder::starting_at(at(0));
        for step in 1..=60 {
            let (pool, temperature) = (1000 - step, 3000 + step as u32 % 7);
            recorder.note_at(at(step * 5), sample(step * step * 5, pool, temperature, &[(1, step, 0)]));
        }
        let history = recorder.history_at(at(302), WALL);
        assert_eq!(history.coarse.rate_bytes_per_s, [Some(60)], "3600 steps' bytes over 300 s");
        assert_eq!((history.coarse.pool_bytes[0], history.coarse.temperature_decikelvin[0]), (Some(940), Some(3006)));
        assert_eq!(history.coarse.rejected_frames, [Some(60)]);
        assert_eq!(history.coarse.end_unix_s, WALL.as_secs() - 2);
    }

    #[test]
    fn the_rings_never_grow_and_keep_the_newest() {
        let mut recorder = Recorder::starting_at(at(0));
        let steps = (COARSE_STEPS + 3) * TOGETHER;
        for step in 1..=steps as u64 {
            recorder.note_at(at(step * 5), sample(step * 100, step, 3000, &[]));
        }
        let history = recorder.history_at(at(steps as u64 * 5), WALL);
        assert_eq!((history.fine.pool_bytes.len(), history.coarse.pool_bytes.len()), (FINE_STEPS, COARSE_STEPS));
        assert_eq!(history.fine.pool_bytes.last(), Some(&Some(steps as u64)));
        assert_eq!(history.coarse.seconds(), 86_400);
        assert!(recorder.fine.capacity() * size_of::<Option<Point>>() <= 2 * FINE_STEPS * 24);
        let json = history.to_json().unwrap();
        assert!(json.len() < 20_000 && History::from_json(&json).unwrap() == history, "{} bytes", json.len());
    }

    #[test]
    fn a_suspension_leaves_a_gap() {
        let mut recorder = Recorder::starting_at(at(0));
        recorder.note_at(at(5), sample(500, 1, 3000, &[]));
        recorder.note_at(at(22), sample(1350, 1, 3000, &[]));
        let fine = recorder.history_at(at(22), WALL).fine;
        assert_eq!(fine.rate_bytes_per_s, [Some(100), None, None, Some(50)]);
        recorder.note_at(at(30 * 86_400), sample(2000, 1, 3000, &[]));
        let history = recorder.history_at(at(30 * 86_400), WALL);
        assert_eq!(history.fine.pool_bytes.iter().flatten().count(), 1);
        assert!(history.coarse.pool_bytes.iter().flatten().count() <= 1, "{:?}", history.coarse);
    }

    #[test]
    fn a_sample_within_a_step_is_ignored() {
        let mut recorder = Recorder::starting_at(at(0));
        recorder.note_at(at(4), sample(500, 1, 3000, &[]));
        assert_eq!(recorder.history_at(at(4), WALL).fine.seconds(), 0);
    }
}
