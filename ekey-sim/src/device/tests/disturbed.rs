//! Each fault changes what it says, as often as it says, and nothing else.

use ekey_proto::wire::FramerCounters;

use super::*;
use crate::faults::FrameBytes;

const FRAMES: usize = 9_000;
const EVERY: usize = 50;
const HITS: usize = FRAMES / EVERY;

/// What a host sees of exactly [`FRAMES`] entropy frames, with a new session whenever the key asks.
struct Seen {
    raw: Vec<u8>,
    heard: Vec<Heard>,
    log: Vec<u8>,
    counters: FramerCounters,
}

impl Seen {
    fn of(faults: &[&str]) -> Self {
        let stop = format!("badness:{FRAMES}");
        let mut host = Host::of(with_faults(&[faults, &[&stop]].concat()));
        let mut heard = host.rekey(&[1; 12]);
        while host.key.badness == Badness::NONE {
            let more = host.hear();
            let needs_session = more.contains(&Heard::NeedsSession);
            heard.extend(more);
            if needs_session {
                heard.extend(host.rekey(&[1; 12]));
            }
        }
        Self { raw: host.raw, heard, log: host.log, counters: host.framer.counters() }
    }

    /// Splits the stream into frames. It must hold nothing else.
    fn frames(&self) -> Vec<FrameBytes> {
        let (frames, rest) = self.raw.as_chunks();
        assert_eq!(rest.len(), 0, "a piece of a frame at the end");
        frames.to_vec()
    }

    fn entropy(&self) -> Vec<(u16, [u8; 32])> {
        let entropy = |heard: &Heard| if let Heard::Entropy(at, block) = heard { Some((*at, *block)) } else { None };
        self.heard.iter().filter_map(entropy).collect()
    }

    fn wrong(&self) -> usize {
        self.heard.iter().filter(|heard| matches!(heard, Heard::Wrong(_))).count()
    }

    /// Checks the log against a host that accepts only rising sequence numbers.
    fn assert_log_matches_a_strict_host(&self) {
        let (mut last, mut accepted) = (None, Vec::<u8>::new());
        for heard in &self.heard {
            match heard {
                Heard::Rekeyed(_) => last = None,
                Heard::Entropy(sequence, block) if last.is_none_or(|last| *sequence > last) => {
                    last = Some(*sequence);
                    accepted.extend(block);
                }
                _ => {}
            }
        }
        assert!(accepted == self.log, "accepted {} bytes, logged {}", accepted.len(), self.log.len());
    }
}

fn is_entropy(frame: &FrameBytes) -> bool {
    frame.starts_with(b"* E!")
}

/// Returns the numbers of the entropy frames of `intact` that `disturbed` lacks. All else must be the same and in
/// order.
fn lacking(intact: &[FrameBytes], disturbed: &[FrameBytes]) -> Vec<usize> {
    let (mut rest, mut number, mut lacking) = (disturbed.iter().peekable(), 0, Vec::new());
    for frame in intact {
        if rest.next_if_eq(&frame).is_none() {
            assert!(is_entropy(frame), "lacks {}", String::from_utf8_lossy(frame));
            lacking.push(number);
        }
        number += usize::from(is_entropy(frame));
    }
    assert_eq!(rest.next(), None, "an extra frame");
    lacking
}

fn assert_one_in_each_run(hits: &[usize]) {
    let runs: Vec<usize> = hits.iter().map(|number| number / EVERY).collect();
    assert!(runs.iter().copied().eq(0..HITS), "hits {hits:?}");
}

#[test]
fn without_a_fault_every_frame_is_whole_and_logged() {
    let seen = Seen::of(&[]);
    assert_eq!((seen.entropy().len(), seen.wrong(), seen.log.len()), (FRAMES, 0, 32 * FRAMES));
    assert_eq!(seen.counters.framing_errors, 0);
    seen.assert_log_matches_a_strict_host();
}

#[test]
fn flip_changes_one_bit_of_one_frame_per_run() {
    let (intact, seen) = (Seen::of(&[]), Seen::of(&["flip:50"]));
    let (mut number, mut hits, mut places) = (0, Vec::new(), [0; 64]);
    assert_eq!(intact.raw.len(), seen.raw.len());
    for (expected, frame) in intact.frames().iter().zip(seen.frames()) {
        let bits: u32 = expected.iter().zip(frame).map(|(expected, seen)| (expected ^ seen).count_ones()).sum();
        if bits > 0 {
            assert!(bits == 1 && is_entropy(expected), "{bits} bits of {}", String::from_utf8_lossy(expected));
            hits.push(number);
            let changed = expected.iter().zip(frame).position(|(expected, seen)| *expected != seen);
            places[changed.expect("one differs")] += 1;
        }
        number += usize::from(is_entropy(expected));
    }
    assert_one_in_each_run(&hits);
    assert_eq!([&places[..2], &places[62..]].concat(), [0; 4], "start and end stay");
    assert!(places[2..54].iter().sum::<u32>() > 0 && places[54..62].iter().sum::<u32>() > 0, "{places:?}");
    assert_eq!((seen.wrong(), seen.log.len()), (HITS, 32 * (FRAMES - HITS)));
    seen.assert_log_matches_a_strict_host();
}

#[test]
fn drop_omits_one_frame_per_run() {
    let (intact, seen) = (Seen::of(&[]), Seen::of(&["drop:50"]));
    assert_one_in_each_run(&lacking(&intact.frames(), &seen.frames()));
    assert_eq!((seen.wrong(), seen.log.len()), (0, 32 * (FRAMES - HITS)));
    seen.assert_log_matches_a_strict_host();
}

#[test]
fn replay_repeats_a_frame_of_the_session_once_per_run() {
    let (intact, seen) = (Seen::of(&[]), Seen::of(&["replay:50"]));
    let (mut rest, mut session, mut replays) = (intact.frames().into_iter().peekable(), Vec::new(), 0);
    for frame in seen.frames() {
        if rest.next_if_eq(&frame).is_some() {
            if frame.starts_with(b"* K!") {
                session.clear();
            }
            session.push(frame);
            continue;
        }
        assert!(is_entropy(&frame) && session.contains(&frame), "{}", String::from_utf8_lossy(&frame));
        replays += 1;
    }
    assert_eq!((replays, rest.next()), (HITS, None));
    assert_eq!((seen.wrong(), seen.log == intact.log), (0, true), "the log has each block once");
    seen.assert_log_matches_a_strict_host();
}

#[test]
fn replay_1_repeats_the_first_frame_of_a_session() {
    let mut host = Host::of(with_faults(&["replay:1"]));
    let heard = host.rekey(&[1; 12]);
    assert_eq!(heard[1], heard[2]);
    assert_eq!(heard.len(), 1 + 2 * blocks::FRAMES);
}

#[test]
fn old_session_sends_an_earlier_frame_once_per_run() {
    let seen = Seen::of(&["old-session:50"]);
    let (mut before, mut session, mut numbers, mut number) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (frame, heard) in seen.frames().iter().zip(&seen.heard) {
        match heard {
            Heard::Rekeyed(_) => before = std::mem::take(&mut session),
            Heard::Entropy(..) => {
                session.push(*frame);
                number += 1;
            }
            Heard::Wrong(_) => {
                assert!(is_entropy(frame), "{}", String::from_utf8_lossy(frame));
                assert!(before.is_empty() || before.contains(frame), "not of the session before");
                numbers.push(number - 1);
            }
            _ => {}
        }
    }
    assert_one_in_each_run(&numbers);
    assert_eq!(seen.log.len(), 32 * FRAMES);
    seen.assert_log_matches_a_strict_host();
}

#[test]
fn noise_precedes_one_frame_per_run() {
    let (intact, seen) = (Seen::of(&[]), Seen::of(&["noise:50"]));
    assert_eq!(seen.heard, intact.heard);
    assert_eq!(seen.counters.framing_errors as usize, HITS);
    let added = seen.raw.len() - intact.raw.len();
    assert_eq!(added as u64, seen.counters.skipped_bytes);
    assert!((HITS..=200 * HITS).contains(&added), "{added} bytes of noise");
    assert!(seen.log == intact.log);
}

#[test]
fn truncate_shortens_one_frame_per_run() {
    let (intact, seen) = (Seen::of(&[]), Seen::of(&["truncate:50"]));
    let hits = FRAMES - seen.entropy().len();
    assert_eq!(hits, HITS);
    assert_eq!((seen.wrong(), seen.log.len()), (0, 32 * (FRAMES - HITS)));
    let missing = intact.raw.len() - seen.raw.len();
    assert!((HITS..=63 * HITS).contains(&missing), "{missing} bytes cut");
    // Two cut frames in a row count as one framing error.
    assert!((HITS * 9 / 10..=HITS).contains(&(seen.counters.framing_errors as usize)), "{:?}", seen.counters);
    seen.assert_log_matches_a_strict_host();
}

#[test]
fn gap_skips_1_to_20_numbers_once_per_run() {
    let seen = Seen::of(&["gap:50"]);
    let (mut expected, mut gaps) = (0, Vec::new());
    for (sequence, _) in seen.entropy() {
        if sequence < expected {
            assert_eq!(sequence, 0, "a session begins with 0");
            expected = 0;
        }
        if sequence > expected {
            gaps.push(sequence - expected);
        }
        expected = sequence + 1;
    }
    assert_eq!(gaps.len(), HITS);
    assert!(gaps.iter().all(|gap| (1..=20).contains(gap)), "{gaps:?}");
    assert!(seen.log == Seen::of(&[]).log, "nothing is lost but numbers");
}

#[test]
fn all_faults_at_once_leave_a_correct_log() {
    let every = ["flip:7", "drop:11", "replay:5", "old-session:6", "noise:9", "truncate:13", "gap:10"];
    let seen = Seen::of(&every);
    let expected = FRAMES - FRAMES / 7 - FRAMES / 11 - FRAMES / 13;
    let logged = seen.log.len() / 32;
    let few_more = expected + FRAMES / 20;
    assert!((expected..few_more).contains(&logged), "{logged} blocks logged, expected {expected} or a few more");
    seen.assert_log_matches_a_strict_host();
}

#[test]
fn answers_are_never_damaged() {
    let disturbed = ["flip:1", "drop:1", "noise:1", "truncate:1"].map(|fault| with_faults(&[fault]));
    for setup in disturbed {
        let mut host = Host::of(setup);
        let serial = *host.key.serial();
        assert_eq!(host.hear(), [Heard::NeedsSession]);
        assert_eq!(host.say(b"\x03")[0], Heard::Serial(serial));
        assert_eq!(host.rekey(&[1; 12])[0], Heard::Rekeyed(12));
    }
}

#[test]
fn badness_stops_the_key_until_a_replug() {
    let mut host = Host::of(with_faults(&["badness:100"]));
    assert_eq!(host.entropy(100).len(), 100);
    for second in 1..5 {
        host.now = seconds(100 + second);
        assert_eq!(host.hear(), [Heard::Climate, Heard::Fips, Heard::Badness('1')]);
        assert_eq!(host.rekey(&[1; 12]), [Heard::GoneBad]);
        let serial = *host.key.serial();
        assert_eq!(host.say(b"\x03"), [Heard::Serial(serial)], "a reset does not heal it");
    }
    assert_eq!(host.log.len(), 100 * 32);
    host.key.handle_revival(host.now, Revival::Replug);
    assert_eq!(host.entropy(100).len(), 100);
    host.wait(seconds(2));
    assert_eq!(host.hear()[2], Heard::Badness('2'), "another reason the second time");
}

#[test]
fn wrong_serial_changes_the_serial_on_every_nth_reset() {
    let mut host = Host::of(with_faults(&["wrong-serial:3"]));
    let serial = *host.key.serial();
    let mut stated = Vec::new();
    for _ in 0..9 {
        let heard = host.say(b"\x03");
        let Heard::Serial(serial) = heard[0] else { panic!("{heard:?}") };
        stated.push(serial);
        let heard = host.rekey(&[1; 12]);
        assert!(matches!(heard[..], [Heard::Rekeyed(12), Heard::Entropy(0, _), ..]), "whole under {serial}");
    }
    let other = stated[2];
    assert_ne!(other, serial);
    assert_eq!(stated, [[serial, serial, other]; 3].concat());
}

#[test]
fn ltk_mismatch_spoils_every_nth_session() {
    let mut host = Host::of(with_faults(&["ltk-mismatch:3"]));
    let mut spoilt = Vec::new();
    for _ in 0..6 {
        host.say(b"\x03");
        let heard = host.rekey(&[1; 12]);
        assert_eq!(heard[0], Heard::Rekeyed(12), "under the key before, which is the zero key");
        spoilt.push(heard[1..].iter().all(|heard| matches!(heard, Heard::Wrong(b'E'))));
    }
    assert_eq!(spoilt, [false, false, true, false, false, true]);
}

#[test]
fn stall_silences_the_key_until_ctrl_c() {
    let mut host = Host::of(with_faults(&["stall:100"]));
    let serial = *host.key.serial();
    for times in 1..4 {
        assert_eq!(host.entropy(100).len(), 100);
        host.wait(seconds(10));
        assert_eq!((host.say(b"RK.e"), host.key.next_output()), (vec![], None), "hears and says nothing");
        assert_eq!(host.say(b"ee\x03")[0], Heard::Serial(serial));
        assert_eq!(host.log.len(), times * 3200);
    }
}
