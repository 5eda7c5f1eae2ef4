//! The figures of the last ten minutes and the last day, in two rings of fixed size: 408 steps of 60 bytes, 25 KB in all.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ekey_control::history::{COARSE_STEP_S, COARSE_STEPS, FINE_STEP_S, FINE_STEPS, FORMAT, History, Series};
use nix::time::{ClockId, clock_gettime};

const STEP: Duration = Duration::from_secs(FINE_STEP_S as u64);
/// Fine steps per coarse step.
const TOGETHER: usize = (COARSE_STEP_S / FINE_STEP_S) as usize;

/// Outlets with a column of their own. The daemon has four; more are counted in the sum only.
const MOST_OUTLETS: usize = 6;

/// The daemon's figures at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Bytes fetched from EGD servers since the start.
    pub fetched: u64,
    /// Each outlet, and the bytes that it took since the start.
    pub taken: Vec<(String, u64)>,
    /// EGD clients that wait for bytes.
    pub waiting: u64,
    /// Bytes in the pool.
    pub pool: u64,
    /// The temperature of the hottest key that runs, in tenths of a kelvin.
    pub temperature: Option<u32>,
    /// Each key's counts.
    pub keys: Vec<Totals>,
}

/// One key's counts since it was added.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    /// The key's number.
    pub key: u32,
    /// Its rate in bytes a second. Counts grow by bursts, whose differences would look like peaks.
    pub rate: u64,
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
    waiting: u32,
    /// All outlets.
    taken: u32,
    /// Each of [`Recorder::outlets`].
    by_outlet: [u32; MOST_OUTLETS],
}
const _: () = assert!(size_of::<Option<Point>>() <= 60, "the rings are larger than the first paragraph says");

/// Records the figures step by step.
pub(crate) struct Recorder {
    fine: VecDeque<Option<Point>>,
    coarse: VecDeque<Option<Point>>,
    /// Fine steps since the last coarse one.
    since_coarse: usize,
    /// The outlets' names.
    outlets: Vec<String>,
    last: Sample,
    /// When the last sample was taken, by CLOCK_BOOTTIME. On a busy machine that is later than the end of its step.
    sampled: Duration,
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
            outlets: Vec::new(),
            last: Sample::default(),
            sampled: end,
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
        let seconds = at.saturating_sub(self.sampled).as_secs_f64();
        let rate = |bytes: u64| narrow((bytes as f64 / seconds).round() as u64);
        let mut point = Point {
            rate: 0,
            pool: narrow(sample.pool),
            temperature: sample.temperature,
            rejected: 0,
            recoveries: 0,
            waiting: narrow(sample.waiting),
            taken: 0,
            by_outlet: [0; MOST_OUTLETS],
        };
        let mut taken = 0_u64;
        for (name, total) in &sample.taken {
            let before = self.last.taken.iter().find(|(other, _)| other == name).map_or(0, |(_, total)| *total);
            let bytes = total.saturating_sub(before);
            taken = taken.saturating_add(bytes);
            if !self.outlets.contains(name) && self.outlets.len() < MOST_OUTLETS {
                self.outlets.push(name.clone());
            }
            if let Some(column) = self.outlets.iter().position(|other| other == name) {
                point.by_outlet[column] = rate(bytes);
            }
        }
        point.taken = rate(taken);
        point.rate = rate(sample.fetched.saturating_sub(self.last.fetched));
        for key in &sample.keys {
            let before = self.last.keys.iter().find(|before| before.key == key.key).copied().unwrap_or_default();
            point.rate = point.rate.saturating_add(narrow(key.rate));
            point.rejected = point.rejected.saturating_add(narrow(key.rejected.saturating_sub(before.rejected)));
            point.recoveries =
                point.recoveries.saturating_add(narrow(key.recoveries.saturating_sub(before.recoveries)));
        }
        self.push(Some(point));
        self.last = sample;
        self.sampled = at;
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
            fine: self.series(FINE_STEP_S, end, &self.fine),
            coarse: self.series(COARSE_STEP_S, end.saturating_sub(open), &self.coarse),
        }
    }

    fn series(&self, step_s: u32, end_unix_s: u64, ring: &VecDeque<Option<Point>>) -> Series {
        let column = |of: &dyn Fn(&Point) -> Option<u32>| {
            ring.iter().map(|point| point.as_ref().and_then(of).map(u64::from)).collect::<Vec<_>>()
        };
        let by_outlet = |(index, name): (usize, &String)| (name.clone(), column(&|point| Some(point.by_outlet[index])));
        Series {
            step_s,
            end_unix_s,
            rate_bytes_per_s: column(&|point| Some(point.rate)),
            pool_bytes: column(&|point| Some(point.pool)),
            temperature_decikelvin: column(&|point| point.temperature),
            rejected_frames: column(&|point| Some(point.rejected)),
            recoveries: column(&|point| Some(point.recoveries)),
            taken_bytes_per_s: column(&|point| Some(point.taken)),
            taken_by_outlet: self.outlets.iter().enumerate().map(by_outlet).collect::<BTreeMap<_, _>>(),
            waiting_clients: column(&|point| Some(point.waiting)),
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
    let points: Vec<&Point> = points.collect();
    let mean = |of: &dyn Fn(&Point) -> u32| {
        let sum: u64 = points.iter().map(|point| u64::from(of(point))).sum();
        narrow(sum / points.len().max(1) as u64)
    };
    let sum = |of: fn(&Point) -> u32| points.iter().map(|point| of(point)).fold(0, u32::saturating_add);
    Some(Point {
        rate: mean(&|point| point.rate),
        pool: points.iter().map(|point| point.pool).min()?,
        temperature: points.iter().filter_map(|point| point.temperature).max(),
        rejected: sum(|point| point.rejected),
        recoveries: sum(|point| point.recoveries),
        waiting: points.iter().map(|point| point.waiting).max()?,
        taken: mean(&|point| point.taken),
        by_outlet: std::array::from_fn(|column| mean(&|point| point.by_outlet[column])),
    })
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

    fn sample(fetched: u64, pool: u64, temperature: u32, keys: &[(u32, u64, u64)]) -> Sample {
        let totals = |&(key, rejected, recoveries)| Totals { key, rate: 0, rejected, recoveries };
        let keys = keys.iter().map(totals).collect();
        Sample { fetched, pool, temperature: Some(temperature), keys, ..Sample::default() }
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
        assert!(recorder.fine.capacity() * size_of::<Option<Point>>() <= 2 * FINE_STEPS * 60);
        let json = history.to_json().unwrap();
        assert!(json.len() < 30_000 && History::from_json(&json).unwrap() == history, "{} bytes", json.len());
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
    fn a_late_sample_makes_no_dip_and_no_peak() {
        let mut recorder = Recorder::starting_at(at(0));
        for (second, late_ms) in [(5, 0), (10, 900), (15, 0), (20, 400)] {
            let at = at(second) + Duration::from_millis(late_ms);
            let bytes = 4 * (second * 1000 + late_ms);
            recorder.note_at(at, sample(bytes, 1, 3000, &[]));
        }
        let fine = recorder.history_at(at(21), WALL).fine;
        assert_eq!(fine.rate_bytes_per_s, [4000; 4].map(Some), "a key with a steady rate is a flat line");
    }

    #[test]
    fn supply_is_the_rate_of_all_keys_and_servers() {
        let mut recorder = Recorder::starting_at(at(0));
        let keys = [(1, 4000), (2, 50)].map(|(key, rate)| Totals { key, rate, ..Totals::default() });
        recorder.note_at(at(5), Sample { fetched: 500, keys: keys.to_vec(), ..Sample::default() });
        assert_eq!(recorder.history_at(at(5), WALL).fine.rate_bytes_per_s, [Some(4150)]);
    }

    #[test]
    fn each_outlet_has_its_demand_and_clients_that_wait() {
        let mut recorder = Recorder::starting_at(at(0));
        for step in 1..=60 {
            let taken = vec![("kernel".to_owned(), 500), ("egd".to_owned(), step * 1000)];
            let waiting = u64::from(step == 7) * 3;
            recorder.note_at(at(step * 5), Sample { taken, waiting, ..Sample::default() });
        }
        let history = recorder.history_at(at(300), WALL);
        assert_eq!(history.fine.taken_by_outlet["kernel"][..2], [Some(100), Some(0)]);
        assert_eq!(history.fine.taken_by_outlet["egd"][1], Some(200));
        assert_eq!(history.fine.taken_bytes_per_s[..2], [Some(300), Some(200)], "the sum");
        assert_eq!(history.coarse.taken_by_outlet["egd"], [Some(200)], "the mean");
        assert_eq!((history.fine.waiting_clients[6], history.coarse.waiting_clients[0]), (Some(3), Some(3)));
    }

    #[test]
    fn a_sample_within_a_step_is_ignored() {
        let mut recorder = Recorder::starting_at(at(0));
        recorder.note_at(at(4), sample(500, 1, 3000, &[]));
        assert_eq!(recorder.history_at(at(4), WALL).fine.seconds(), 0);
    }
}
