//! Clones: notices that this machine is a copy of another, or was away, and then forgets all that it holds.
//!
//! Two copies of a running machine hold the same bytes. What one hands out must not be what the other does. The kernel tells of it late
//! or never, so the clocks are looked at as well: on each turn of the event loop, before anything is served. A false alarm, such as the
//! step of an NTP client, costs the stock and some seconds of the keys.

use std::time::{Duration, Instant};

use ekey_control::status::{CloneStatus, ForgetReason};
use nix::time::{ClockId, clock_gettime};

use super::Daemon;
use crate::log_limit::LogLimit;
use crate::outlet::Turn;
use crate::source::{Epoch, Epochs};

/// A clock that jumps by more is that of a machine that was restored.
const JUMP: Duration = Duration::from_secs(10);
/// A shorter suspension of the machine does not count.
const NOTICED_SLEEP: Duration = Duration::from_secs(1);

/// The clocks of the machine at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Clocks {
    /// Since 1970, as far as the machine knows.
    wall: Duration,
    /// Since the boot, with the time in which the machine was suspended.
    boot: Duration,
    /// Since the boot, without it.
    awake: Duration,
}

/// What has happened so far.
pub(super) struct Clones {
    clocks: Clocks,
    epochs: Epochs,
    forgotten: u64,
    forgotten_bytes: u64,
    last: Option<(ForgetReason, Instant)>,
    logged: LogLimit,
}

impl Clocks {
    fn now() -> Self {
        let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
        Self {
            wall: read(ClockId::CLOCK_REALTIME),
            boot: read(ClockId::CLOCK_BOOTTIME),
            awake: read(ClockId::CLOCK_MONOTONIC),
        }
    }

    /// Returns what happened to the machine between an earlier look and this one, if anything did.
    fn since(&self, before: &Self) -> Option<ForgetReason> {
        let asleep = |clocks: &Self| clocks.boot.saturating_sub(clocks.awake);
        // How far the wall clock is ahead of the boot's: only a jump changes it by much from one look to the next.
        let ahead = |clocks: &Self| clocks.wall.as_nanos().cast_signed() - clocks.boot.as_nanos().cast_signed();
        if ahead(self).abs_diff(ahead(before)) > JUMP.as_nanos() {
            Some(ForgetReason::ClockJumped)
        } else if asleep(self).saturating_sub(asleep(before)) >= NOTICED_SLEEP {
            Some(ForgetReason::Slept)
        } else {
            None
        }
    }
}

impl Clones {
    /// Looks at the clocks for the first time.
    pub(super) fn new(epochs: Epochs) -> Self {
        let clocks = Clocks::now();
        Self { clocks, epochs, forgotten: 0, forgotten_bytes: 0, last: None, logged: LogLimit::default() }
    }

    /// Returns the present epoch: what began to come before it is wiped.
    pub(super) fn epoch(&self) -> Epoch {
        self.epochs.present()
    }

    /// Looks at the clocks again. Returns what happened to the machine since the last look, if anything did.
    fn look(&mut self, now: Clocks) -> Option<ForgetReason> {
        now.since(&std::mem::replace(&mut self.clocks, now))
    }

    /// Returns the status. `mixes_fresh`: whether any outlet mixes fresh bytes into those that leave.
    pub(super) fn status(&self, mixes_fresh: bool) -> CloneStatus {
        CloneStatus {
            mixes_fresh,
            forgotten: self.forgotten,
            forgotten_bytes: self.forgotten_bytes,
            last_reason: self.last.map(|(reason, _)| reason),
            last_age_s: self.last.map(|(_, at)| at.elapsed().as_secs()),
        }
    }
}

impl Daemon {
    /// Forgets everything if this machine is a copy of another, or may be.
    pub(super) fn look_for_clones(&mut self) {
        let by_clocks = self.clones.look(Clocks::now());
        // Each source is asked.
        let by_kernel = self.sources.iter_mut().fold(false, |copied, source| source.take_copied() | copied);
        let reason = by_kernel.then_some(ForgetReason::NewGeneration).or(by_clocks);
        if let Some(reason) = reason {
            self.forget(reason);
        }
    }

    /// Wipes all that is held, on the way, or made of it; sources and outlets begin anew. Returns how many bytes of sources it wiped;
    /// those on the way follow.
    pub(super) fn forget(&mut self, reason: ForgetReason) -> usize {
        self.clones.epochs.begin_next();
        let wiped = self.stock.forget();
        let turn = Turn { now: Instant::now(), registry: self.poll.registry() };
        self.outlets.iter_mut().for_each(|outlet| outlet.forget(&turn));
        self.sources.iter_mut().for_each(|source| source.forget());
        let clones = &mut self.clones;
        clones.forgotten += 1;
        clones.forgotten_bytes += wiped as u64;
        clones.last = Some((reason, turn.now));
        if let Some(more) = clones.logged.admit(turn.now) {
            let why = reason.words();
            tracing::warn!(bytes = wiped, "everything held is wiped, and the keys begin new sessions: {why}{more}");
        }
        wiped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(wall: u64, boot: u64, awake: u64) -> Clocks {
        let seconds = Duration::from_secs;
        Clocks { wall: seconds(wall), boot: seconds(boot), awake: seconds(awake) }
    }

    #[test]
    fn time_that_passes_is_no_jump() {
        let mut clones = Clones { clocks: at(1_000_000, 500, 400), ..Clones::new(Epochs::default()) };
        for hours in 1..1000 {
            let now = at(1_000_000 + hours * 3600, 500 + hours * 3600, 400 + hours * 3600);
            assert_eq!(clones.look(now), None, "after {hours} hours");
        }
    }

    #[test]
    fn a_clock_that_jumps_either_way_is_noticed_once() {
        let before = at(1_000_000, 500, 400);
        for (wall, is_jump) in [(11, true), (-11, true), (-999_999, true), (86_400, true), (10, false), (-10, false)] {
            let mut clones = Clones { clocks: before, ..Clones::new(Epochs::default()) };
            let after = at(1_000_001_u64.checked_add_signed(wall).unwrap(), 501, 401);
            assert_eq!(clones.look(after) == Some(ForgetReason::ClockJumped), is_jump, "by {wall} s");
            let later = Clocks { wall: after.wall + JUMP, boot: after.boot + JUMP, awake: after.awake + JUMP };
            assert_eq!(clones.look(later), None, "once");
        }
    }

    #[test]
    fn a_clock_that_is_slewed_is_no_jump() {
        let mut clones = Clones { clocks: at(1_000_000, 500, 400), ..Clones::new(Epochs::default()) };
        for looks in 1..100 {
            assert_eq!(clones.look(at(1_000_000 + looks * 11, 500 + looks * 10, 400 + looks * 10)), None);
        }
    }

    #[test]
    fn a_machine_that_slept_is_noticed_once() {
        let mut clones = Clones { clocks: at(1_000_000, 500, 400), ..Clones::new(Epochs::default()) };
        assert_eq!(clones.look(at(1_003_600, 4100, 401)), Some(ForgetReason::Slept));
        assert_eq!(clones.look(at(1_003_601, 4101, 402)), None);
    }
}
