//! The ladder on a virtual clock: what it tries, in which order, how often, and within which time a key is revived.

use std::time::{Duration, Instant};

use ekey_link::revive::{Ladder, Means, Rung, Silence};

const ALL: Means = Means { other_transport: true, usb_reset: true, authorized: true, port_power: true };
const ORDINARY: Means = Means { port_power: false, ..ALL };
/// Longer than any rung needs to prove itself, shorter than any pause.
const AMPLE: Duration = Duration::from_secs(30);

/// A daemon that takes each step the ladder wants, with a key that no step revives but one.
struct Daemon {
    ladder: Ladder,
    now: Instant,
    cure: Option<Rung>,
    cannot: Vec<Rung>,
}

impl Daemon {
    fn with(means: Means, cure: Option<Rung>) -> Self {
        Self { ladder: Ladder::new(means), now: Instant::now(), cure, cannot: Vec::new() }
    }

    /// How long a step takes, as measured on real kernels.
    fn duration(rung: Rung) -> Duration {
        Duration::from_millis(match rung {
            Rung::Soft | Rung::Pause => 0,
            Rung::Reopen => 10,
            Rung::OtherTransport => 100,
            Rung::UsbReset => 500,
            Rung::Authorized => 200,
            Rung::PortPower => 3000,
        })
    }

    /// Climbs until a frame verifies or the ladder pauses, and returns what was tried.
    fn climb(&mut self) -> Vec<Rung> {
        let mut tried = Vec::new();
        loop {
            let Some(rung) = self.ladder.next(self.now) else {
                let deadline = self.ladder.deadline().expect("a climb must go on or end");
                assert!(deadline > self.now, "a deadline that has passed must bring a step");
                self.now = deadline;
                continue;
            };
            tried.push(rung);
            if rung == Rung::Pause {
                return tried;
            }
            self.now += Self::duration(rung);
            if self.cannot.contains(&rung) {
                self.ladder.note_failed(self.now);
                continue;
            }
            self.ladder.note_done(self.now);
            if self.cure == Some(rung) {
                self.now += Duration::from_millis(50);
                self.ladder.note_verified(self.now);
                return tried;
            }
        }
    }

    fn falls_silent(&mut self) -> Vec<Rung> {
        self.ladder.note_silent(self.now, Silence::WhileRunning);
        self.climb()
    }

    fn runs_well_for(&mut self, while_: Duration) {
        self.now += while_;
        self.ladder.note_verified(self.now);
    }

    /// Lets the pause run out, and returns how long it was.
    fn sits_out_the_pause(&mut self) -> Duration {
        let until = self.ladder.deadline().expect("a pause has an end");
        let length = until - self.now;
        assert_eq!(self.ladder.next(until - Duration::from_millis(1)), None, "a pause must last until its end");
        self.now = until;
        length
    }
}

#[test]
fn a_key_that_is_heard_is_left_alone() {
    let mut ladder = Ladder::new(ALL);
    let now = Instant::now();
    ladder.note_verified(now);
    assert_eq!((ladder.next(now + AMPLE), ladder.deadline(), ladder.current()), (None, None, None));
}

#[test]
fn every_rung_is_tried_in_order_before_a_pause() {
    let tried = Daemon::with(ALL, None).falls_silent();
    assert_eq!(tried, Rung::ALL);
}

#[test]
fn a_silence_after_opening_has_had_its_ctrl_c() {
    let mut daemon = Daemon::with(ALL, Some(Rung::Reopen));
    daemon.ladder.note_silent(daemon.now, Silence::AfterOpening);
    assert_eq!(daemon.climb(), [Rung::Reopen]);
    assert_eq!(daemon.ladder.tally(Rung::Soft).attempts, 1);
    assert_eq!(daemon.ladder.tally(Rung::Soft).successes, 0);
}

#[test]
fn rungs_that_a_key_does_not_have_are_left_out() {
    let cases: [(Means, &[Rung]); 3] = [
        (Means::NONE, &[Rung::Soft, Rung::Reopen, Rung::Pause]),
        (Means { usb_reset: true, ..Means::NONE }, &[Rung::Soft, Rung::Reopen, Rung::UsbReset, Rung::Pause]),
        (ORDINARY, &[Rung::Soft, Rung::Reopen, Rung::OtherTransport, Rung::UsbReset, Rung::Authorized, Rung::Pause]),
    ];
    for (means, expected) in cases {
        assert_eq!(Daemon::with(means, None).falls_silent(), expected, "{means:?}");
    }
}

#[test]
fn rungs_below_port_power_revive_within_ten_seconds() {
    for cure in [Rung::Soft, Rung::Reopen, Rung::OtherTransport, Rung::UsbReset, Rung::Authorized] {
        for (silence, found_after) in [(Silence::AfterOpening, 3), (Silence::WhileRunning, 5)] {
            let mut daemon = Daemon::with(ORDINARY, Some(cure));
            let last_frame = daemon.now;
            daemon.now += Duration::from_secs(found_after);
            daemon.ladder.note_silent(daemon.now, silence);
            if (cure, silence) == (Rung::Soft, Silence::AfterOpening) {
                continue;
            }
            let tried = daemon.climb();
            assert_eq!(tried.last(), Some(&cure), "{silence:?}");
            let took = daemon.now - last_frame;
            assert!(took < Duration::from_secs(10), "{cure} took {took:?} ({silence:?})");
        }
    }
}

#[test]
fn only_the_rung_that_was_tried_last_gets_the_credit() {
    let mut daemon = Daemon::with(ALL, Some(Rung::UsbReset));
    daemon.falls_silent();
    for rung in Rung::ALL {
        let tally = daemon.ladder.tally(rung);
        assert_eq!(tally.attempts, u64::from(rung <= Rung::UsbReset), "attempts of {rung}");
        assert_eq!(tally.successes, u64::from(rung == Rung::UsbReset), "successes of {rung}");
        assert_eq!(tally.failures, 0, "failures of {rung}");
    }
    assert_eq!(daemon.ladder.current(), None);
}

#[test]
fn a_step_that_fails_is_counted_and_costs_no_time() {
    let mut daemon = Daemon::with(ALL, Some(Rung::Authorized));
    daemon.cannot = vec![Rung::OtherTransport, Rung::UsbReset];
    let began = daemon.now;
    assert_eq!(
        daemon.falls_silent(),
        [Rung::Soft, Rung::Reopen, Rung::OtherTransport, Rung::UsbReset, Rung::Authorized]
    );
    assert_eq!(daemon.ladder.tally(Rung::UsbReset).failures, 1);
    assert!(daemon.now - began < Duration::from_secs(3), "{:?}", daemon.now - began);
}

#[test]
fn a_silence_that_is_said_again_changes_nothing() {
    let mut ladder = Ladder::new(ALL);
    let now = Instant::now();
    ladder.note_silent(now, Silence::WhileRunning);
    assert_eq!(ladder.next(now), Some(Rung::Soft));
    ladder.note_silent(now, Silence::AfterOpening);
    assert_eq!(ladder.next(now + AMPLE), None, "a step that is being taken has all the time it needs");
    ladder.note_done(now);
    ladder.note_silent(now, Silence::WhileRunning);
    assert_eq!(ladder.next(now + Duration::from_millis(600)), None, "a rung must have its time");
    assert_eq!(ladder.deadline(), Some(now + Rung::Soft.patience()));
    assert_eq!(ladder.next(now + Rung::Soft.patience()), Some(Rung::Reopen));
}

#[test]
fn pauses_double_from_a_minute_to_half_an_hour() {
    let mut daemon = Daemon::with(ORDINARY, None);
    daemon.falls_silent();
    let mut minutes = Vec::new();
    for _ in 0..8 {
        assert_eq!(daemon.ladder.current(), Some(Rung::Pause));
        minutes.push(daemon.sits_out_the_pause().as_secs() / 60);
        let tried = daemon.climb();
        assert_eq!(tried.first(), Some(&Rung::Reopen), "the session has sent ^C in the pause");
        assert_eq!(tried.last(), Some(&Rung::Pause));
    }
    assert_eq!(minutes, [1, 2, 4, 8, 16, 30, 30, 30]);
}

#[test]
fn a_replug_ends_the_pause_and_gets_the_credit() {
    let mut daemon = Daemon::with(ORDINARY, None);
    daemon.falls_silent();
    daemon.ladder.note_plugged_in(daemon.now);
    assert_eq!(daemon.ladder.next(daemon.now), None, "a fresh key must have its time to speak");
    daemon.ladder.note_verified(daemon.now + Duration::from_millis(100));
    assert_eq!(daemon.ladder.tally(Rung::Pause).successes, 1);
    assert_eq!((daemon.ladder.current(), daemon.ladder.deadline()), (None, None));
}

#[test]
fn a_vain_replug_brings_a_climb_and_a_short_pause() {
    let mut daemon = Daemon::with(ORDINARY, None);
    daemon.falls_silent();
    daemon.sits_out_the_pause();
    daemon.climb();
    daemon.ladder.note_plugged_in(daemon.now);
    let tried = daemon.climb();
    assert_eq!((tried.first(), tried.last()), (Some(&Rung::Reopen), Some(&Rung::Pause)));
    assert_eq!(daemon.sits_out_the_pause(), Duration::from_secs(60));
}

#[test]
fn a_key_that_wakes_up_in_the_pause_is_well() {
    let mut daemon = Daemon::with(ORDINARY, None);
    daemon.falls_silent();
    daemon.ladder.note_verified(daemon.now + Duration::from_secs(10));
    assert_eq!(daemon.ladder.next(daemon.now + Duration::from_secs(3600)), None);
}

#[test]
fn a_rung_that_never_lasts_is_passed_over() {
    let mut daemon = Daemon::with(ORDINARY, Some(Rung::Soft));
    for round in 1..=3 {
        assert_eq!(daemon.falls_silent(), [Rung::Soft], "round {round}");
        daemon.runs_well_for(Duration::from_secs(5));
    }
    daemon.cure = Some(Rung::UsbReset);
    assert_eq!(daemon.falls_silent(), [Rung::Reopen, Rung::OtherTransport, Rung::UsbReset]);
}

#[test]
fn a_passed_over_rung_is_tried_before_the_pause() {
    let mut daemon = Daemon::with(ORDINARY, Some(Rung::UsbReset));
    for _ in 1..=3 {
        daemon.falls_silent();
        daemon.runs_well_for(Duration::from_secs(5));
    }
    daemon.cannot = vec![Rung::Authorized];
    let expected = [Rung::Authorized, Rung::Soft, Rung::Reopen, Rung::OtherTransport, Rung::UsbReset];
    assert_eq!(daemon.falls_silent(), expected);
}

#[test]
fn a_key_that_ran_for_a_minute_starts_at_the_bottom() {
    let mut daemon = Daemon::with(ORDINARY, Some(Rung::Soft));
    for round in 1..=10 {
        assert_eq!(daemon.falls_silent(), [Rung::Soft], "round {round}");
        daemon.runs_well_for(Duration::from_secs(60));
    }
}

#[test]
fn resets_are_not_issued_without_end() {
    let mut daemon = Daemon::with(Means { usb_reset: true, ..Means::NONE }, Some(Rung::UsbReset));
    let began = daemon.now;
    while daemon.now - began < Duration::from_secs(3600) {
        let tried = daemon.falls_silent();
        if tried.last() == Some(&Rung::Pause) {
            daemon.sits_out_the_pause();
            continue;
        }
        daemon.runs_well_for(Duration::from_secs(1));
    }
    let resets = daemon.ladder.tally(Rung::UsbReset).attempts;
    assert!((6..=66).contains(&resets), "{resets} resets in an hour; six at once and one a minute are allowed");
}

#[test]
fn an_ordered_rung_is_tried_at_once_without_a_climb() {
    let mut ladder = Ladder::new(Means::NONE);
    let now = Instant::now();
    ladder.order(Rung::UsbReset);
    assert_eq!(ladder.current(), Some(Rung::UsbReset));
    ladder.note_done(now);
    let until = ladder.deadline().expect("it must be judged");
    assert_eq!((ladder.next(until), ladder.current()), (None, None));
    assert_eq!(ladder.tally(Rung::UsbReset).attempts, 1);
    assert_eq!(ladder.tally(Rung::UsbReset).successes, 0);

    ladder.order(Rung::Reopen);
    ladder.note_done(now);
    ladder.note_verified(now + Duration::from_millis(5));
    assert_eq!(ladder.tally(Rung::Reopen).successes, 1);
}

#[test]
fn silence_after_an_order_starts_a_climb() {
    let mut daemon = Daemon::with(ORDINARY, Some(Rung::UsbReset));
    daemon.ladder.order(Rung::Reopen);
    daemon.ladder.note_failed(daemon.now);
    assert_eq!(daemon.falls_silent().last(), Some(&Rung::UsbReset));
}

#[test]
fn each_rung_has_a_name_of_its_own() {
    let mut names: Vec<_> = Rung::ALL.iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), Rung::ALL.len(), "{names:?}");
}
