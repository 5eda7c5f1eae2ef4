//! The events of a soak and their times; all follow from the seed.

use std::time::Duration;

use super::chance::Chance;
use super::keys::SLOTS;

/// An event that disturbs the daemon or its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A key is unplugged, and a fresh one with the same identity plugged in after a pause.
    Replug(usize, Duration),
    /// The same, and the new key hangs in this way after that many frames.
    Wedge(usize, &'static str, u64),
    /// The configuration loses the key that comes and goes, or gets it back, and changes the limits. SIGHUP.
    ReloadKeys,
    /// The keyring loses that key's line, or gets it back. SIGHUP.
    ReloadKeyring,
    /// The configuration has a mistake for a moment. SIGHUP.
    ReloadMistake,
    /// The wall clock is this many seconds off from now on.
    Clock(i64),
    /// The daemon is suspended for this long.
    Suspend(Duration),
    /// The daemon and all keys are suspended for this long.
    SuspendAll(Duration),
    /// The control socket removes a key and adds it again.
    RemoveAndAdd(usize),
    /// The control socket resets a key.
    Reset(usize, &'static str),
    /// This many clients ask for much, read nothing, and leave together.
    Deaf(usize),
    /// The daemon is stopped and started with other limits.
    Restart,
}

impl Event {
    /// Returns its name in the report.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Replug(..) => "keys replugged",
            Self::Wedge(..) => "keys replugged that hang later",
            Self::ReloadKeys => "reloads: a key removed or added, other limits",
            Self::ReloadKeyring => "reloads: a long-term key removed or added",
            Self::ReloadMistake => "reloads of a file with a mistake",
            Self::Clock(_) => "jumps of the wall clock",
            Self::Suspend(_) => "daemon suspended",
            Self::SuspendAll(_) => "daemon and keys suspended",
            Self::RemoveAndAdd(_) => "keys removed and added by the control socket",
            Self::Reset(..) => "keys reset by the control socket",
            Self::Deaf(_) => "crowds of deaf clients",
            Self::Restart => "restarts of the daemon",
        }
    }
}

/// The slot of the key that configuration and keyring lose now and then.
pub(super) const COMES_AND_GOES: usize = 3;

/// Returns all events, each with its time from the start, ascending.
pub(super) fn schedule(seed: u64, span: Duration) -> Vec<(Duration, Event)> {
    let mut chance = Chance::new(seed, 1);
    // A short soak must see everything, a long one needs quiet times.
    let short = span < Duration::from_secs(120);
    let gap = if short { (500, 1500) } else { (2000, 8000) };
    let mut plan = restarts(span);
    let mut at = Duration::from_secs(2);
    let mut round = Vec::new();
    while at < span {
        if round.is_empty() {
            round = one_round(&mut chance, short);
        }
        let pick = chance.between(0, round.len() as u64 - 1) as usize;
        plan.push((at, round.swap_remove(pick)));
        at += chance.millis(gap.0, gap.1);
    }
    plan.sort_by_key(|(at, _)| *at);
    plan
}

/// Returns the restarts: all early, so that most of the time is one life of the daemon, whose memory can be compared with itself.
fn restarts(span: Duration) -> Vec<(Duration, Event)> {
    let at: &[u32] = if span < Duration::from_secs(120) { &[400] } else { &[20, 40, 60, 80, 100] };
    at.iter().map(|thousandths| (span * *thousandths / 1000, Event::Restart)).collect()
}

fn one_round(chance: &mut Chance, short: bool) -> Vec<Event> {
    let slots = SLOTS as u64 - 1;
    let pause = |chance: &mut Chance| if short { chance.millis(0, 500) } else { chance.millis(0, 5000) };
    let stand_still = |chance: &mut Chance| if short { chance.millis(100, 1500) } else { chance.millis(500, 12_000) };
    let mut round = vec![
        Event::Suspend(stand_still(chance)),
        Event::SuspendAll(stand_still(chance)),
        Event::Wedge(
            chance.between(2, slots) as usize,
            chance.one_of(&["until-ctrl-c", "until-reopen", "until-replug"]),
            chance.between(500, 20_000),
        ),
        Event::RemoveAndAdd(2),
        Event::Reset(chance.between(2, slots) as usize, chance.one_of(&["soft", "reopen"])),
        Event::Deaf(chance.between(20, 200) as usize),
        Event::ReloadMistake,
        Event::Clock(0),
    ];
    for _ in 0..2 {
        let far = chance.one_of(&[2, 90, 3700, 86_400, 40_000_000]);
        let away = i64::try_from(chance.between(1, far)).unwrap_or(1);
        round.push(Event::Clock(if chance.once_in(2) { away } else { -away }));
        // Gone, and back again.
        round.push(Event::ReloadKeys);
        round.push(Event::ReloadKeyring);
    }
    for slot in 0..SLOTS {
        round.push(Event::Replug(slot, pause(chance)));
    }
    round
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_has_its_own_plan() {
        let hour = Duration::from_secs(3600);
        assert_eq!(schedule(7, hour), schedule(7, hour));
        assert_ne!(schedule(7, hour), schedule(8, hour));
    }

    #[test]
    fn twenty_seconds_cover_most_kinds_ten_minutes_all() {
        let kinds = |seconds| {
            let plan = schedule(1, Duration::from_secs(seconds));
            plan.iter().map(|(_, what)| what.kind()).collect::<std::collections::BTreeSet<_>>().len()
        };
        assert!(kinds(20) >= 8, "{} kinds in 20 s", kinds(20));
        assert_eq!(kinds(600), 12);
    }
}
