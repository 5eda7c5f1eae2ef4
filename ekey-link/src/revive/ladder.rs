//! Decides the next step for a silent key: a state machine without a clock and without I/O.
//!
//! A climb tries each rung once, the mildest first, and gives each some time to prove itself. If none helps, the climb ends in a
//! pause and then starts again. Pauses double from one minute to thirty.

use std::time::{Duration, Instant};

use super::limit::Limit;
use super::{Means, Rung, Silence, Tally};

const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// A key that verifies for this long is well. Its next silence starts from the bottom.
const STEADY: Duration = Duration::from_secs(60);
/// Successes of one rung in a row that did not last; after these a climb starts above it.
const MOST_SHORT_LIVED: u32 = 3;
const RUNGS: usize = Rung::ALL.len();

/// The ladder for one key. It outlives links and sessions.
#[derive(Debug)]
pub struct Ladder {
    means: Means,
    phase: Phase,
    /// The rungs that this climb has tried.
    tried: [bool; RUNGS],
    start: Rung,
    last: Option<Rung>,
    limits: [Limit; RUNGS],
    tallies: [Tally; RUNGS],
    pause: Duration,
    revived: Option<Revived>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The key is not known to be silent.
    Idle,
    /// The next rung may be tried, since this time.
    Due(Instant),
    /// The step is being done.
    Acting { rung: Rung, ordered: bool },
    /// The step was done and has until this time.
    Proving { until: Instant, ordered: bool },
    /// No rung has helped. The next climb starts at this time.
    Paused { until: Instant },
}

/// The last revival.
#[derive(Debug, Clone, Copy)]
struct Revived {
    at: Instant,
    by: Rung,
    /// Revivals by this rung in a row that did not last, before this one.
    short_lived: u32,
}

impl Ladder {
    /// Makes a ladder with these rungs, for a key that is not known to be silent.
    #[must_use]
    pub fn new(means: Means) -> Self {
        Self {
            means,
            phase: Phase::Idle,
            tried: [false; RUNGS],
            start: Rung::Soft,
            last: None,
            limits: Rung::ALL.map(|rung| Limit::new(rung.allowance())),
            tallies: [Tally::default(); RUNGS],
            pause: FIRST_PAUSE,
            revived: None,
        }
    }

    /// Sets the rungs again: the key was found again, or the configuration has changed.
    pub fn set_means(&mut self, means: Means) {
        self.means = means;
    }

    /// Notes that the key is silent. Only the first call in a silence starts a climb.
    pub fn note_silent(&mut self, now: Instant, silence: Silence) {
        if !matches!(self.phase, Phase::Idle) {
            return;
        }
        let lasted = self.revived.map(|revived| now.saturating_duration_since(revived.at));
        if lasted.is_none_or(|lasted| lasted >= STEADY) {
            self.revived = None;
            self.pause = FIRST_PAUSE;
        }
        let worn_out = match &mut self.revived {
            Some(revived) => {
                revived.short_lived += 1;
                (revived.short_lived >= MOST_SHORT_LIVED).then_some(revived.by)
            }
            None => None,
        };
        self.begin(now, worn_out.and_then(above).unwrap_or(Rung::Soft));
        if silence == Silence::AfterOpening {
            self.tried[Rung::Soft.index()] = true;
            self.tallies[Rung::Soft.index()].attempts += 1;
            self.last = Some(Rung::Soft);
        }
    }

    /// Notes that a frame has verified. During a climb this is the success of the last rung.
    pub fn note_verified(&mut self, now: Instant) {
        let climbing = !matches!(self.phase, Phase::Idle);
        self.phase = Phase::Idle;
        let (true, Some(by)) = (climbing, self.last.take()) else { return };
        self.tallies[by.index()].successes += 1;
        let before = self.revived.filter(|revived| revived.by == by).map_or(0, |revived| revived.short_lived);
        self.revived = Some(Revived { at: now, by, short_lived: before });
    }

    /// Notes that the step of [`Ladder::next`] or [`Ladder::order`] is done and the link is open. Its time to prove itself starts.
    pub fn note_done(&mut self, now: Instant) {
        if let Phase::Acting { rung, ordered } = self.phase {
            self.phase = Phase::Proving { until: now + rung.patience(), ordered };
        }
    }

    /// Notes that the step could not be done, or that the key did not come back from it. The next one may follow.
    pub fn note_failed(&mut self, now: Instant) {
        if let Phase::Acting { rung, ordered } = self.phase {
            self.tallies[rung.index()].failures += 1;
            self.phase = if ordered { Phase::Idle } else { Phase::Due(now) };
        }
    }

    /// Notes that a person has plugged the key in. It gets a fresh start, and a pause ends.
    pub fn note_plugged_in(&mut self, now: Instant) {
        self.pause = FIRST_PAUSE;
        self.revived = None;
        if let Phase::Paused { .. } = self.phase {
            self.phase = Phase::Proving { until: now + Rung::Pause.patience(), ordered: false };
            self.restart();
        }
    }

    /// Returns the step to do now, if any. Do it, then call [`Ladder::note_done`] or [`Ladder::note_failed`]. After [`Rung::Pause`]
    /// call neither: the link may stay open, and the key most likely needs a replug.
    pub fn next(&mut self, now: Instant) -> Option<Rung> {
        match self.phase {
            Phase::Idle | Phase::Acting { .. } => return None,
            Phase::Proving { until, .. } | Phase::Paused { until } if now < until => return None,
            Phase::Proving { ordered: true, .. } => {
                self.phase = Phase::Idle;
                return None;
            }
            Phase::Proving { .. } | Phase::Due(_) => {}
            Phase::Paused { .. } => self.restart(),
        }
        let rung = self.choose(now);
        self.tried[rung.index()] = true;
        self.last = Some(rung);
        self.tallies[rung.index()].attempts += 1;
        self.phase = if rung == Rung::Pause {
            let until = now + self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            Phase::Paused { until }
        } else {
            Phase::Acting { rung, ordered: false }
        };
        Some(rung)
    }

    /// Tries this rung now, whatever the limits, because a person asks for it. If it does not help, the ladder forgets the silence.
    /// Do the step and report it, as after [`Ladder::next`].
    pub fn order(&mut self, rung: Rung) {
        self.tallies[rung.index()].attempts += 1;
        self.last = Some(rung);
        self.phase = Phase::Acting { rung, ordered: true };
    }

    /// Returns when to call [`Ladder::next`]. `None` while the key is heard or a step is being done.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle | Phase::Acting { .. } => None,
            Phase::Due(at) => Some(at),
            Phase::Proving { until, .. } | Phase::Paused { until } => Some(until),
        }
    }

    /// Returns the rung that is being tried. `None` while the key is heard.
    #[must_use]
    pub fn current(&self) -> Option<Rung> {
        match self.phase {
            Phase::Idle => None,
            Phase::Paused { .. } => Some(Rung::Pause),
            Phase::Acting { rung, .. } => Some(rung),
            Phase::Due(_) | Phase::Proving { .. } => self.last,
        }
    }

    /// Returns the results of a rung since the ladder was made.
    #[must_use]
    pub fn tally(&self, rung: Rung) -> Tally {
        self.tallies[rung.index()]
    }

    fn begin(&mut self, now: Instant, start: Rung) {
        self.phase = Phase::Due(now);
        self.tried = [false; RUNGS];
        self.start = start;
        self.last = None;
    }

    /// Prepares a climb after a pause, in which the session has sent `^C` all the time.
    fn restart(&mut self) {
        self.tried = [false; RUNGS];
        self.tried[Rung::Soft.index()] = true;
        self.start = Rung::Soft;
    }

    /// Returns the mildest rung that is left from the start upwards, then those below it, then the pause.
    fn choose(&mut self, now: Instant) -> Rung {
        let (below, above): (Vec<_>, Vec<_>) = Rung::ALL.into_iter().partition(|&rung| rung < self.start);
        let order = above.into_iter().filter(|&rung| rung != Rung::Pause).chain(below);
        for rung in order {
            let index = rung.index();
            if !self.tried[index] && self.means.allow(rung) && self.limits[index].take(now) {
                return rung;
            }
        }
        Rung::Pause
    }
}

/// Returns the rung above, unless that is the pause.
fn above(rung: Rung) -> Option<Rung> {
    Rung::ALL.into_iter().find(|&other| other > rung && other != Rung::Pause)
}
