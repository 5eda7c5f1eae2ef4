//! Checks that the screen fits in every state, even with the longest reports.

use ekey_control::KeyState;
use ekey_control::health::{HealthStatus, PutAside};
use ekey_control::status::{EgdClientState, EgdClientStatus, EgdStatus, ExpandStatus, FileStatus, ServerTests};
use ekey_proto::session::State;
use ekey_proto::wire::Badness;
use proptest::prelude::*;

use super::*;
use crate::render::sample::{all_states, key, status};

/// On the usual terminal.
fn lines(status: &Status) -> Vec<Line> {
    fitted(status, WIDTH)
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{}\n", line.text)).collect()
}

#[track_caller]
fn fits(status: &Status) {
    let lines = lines(status);
    assert!(lines.len() <= HEIGHT, "{} lines:\n{}", lines.len(), text(&lines));
    for line in &lines {
        assert!(line.text.len() <= WIDTH && line.text.is_ascii(), "{} columns: {:?}", line.text.len(), line.text);
        assert!(!line.text.chars().any(char::is_control), "{:?}", line.text);
    }
}

/// Checks that the screen has each of `expected`. Returns the screen.
#[track_caller]
fn shows(status: &Status, expected: &[&str]) -> String {
    let screen = text(&lines(status));
    for expected in expected {
        assert!(screen.contains(expected), "no {expected:?} in\n{screen}");
    }
    screen
}

#[test]
fn a_healthy_key_looks_like_this() {
    let seen = text(&lines(&status(vec![key(State::Running)])));
    assert_eq!(seen, include_str!("../../../tests/golden/status.txt"));
}

#[test]
fn every_state_fits_and_ends_with_what_to_do() {
    for state in all_states() {
        let mut status = status(vec![key(state)]);
        for not_random in [false, true] {
            status.not_random = not_random;
            fits(&status);
        }
        status.not_random = false;
        let screen = lines(&status);
        let blank = screen.iter().rposition(|line| line.text.is_empty()).expect("a blank line");
        let end = screen[blank + 1..].iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ");
        match state {
            _ if state.is_running() => assert_eq!(end, "All is well: 1 key running."),
            _ => {
                let step = status.keys[0].next_step().unwrap_or_else(|| "wait a few seconds".to_owned());
                assert!(end.contains(&step), "{state:?} ends with {end:?}, which lacks {step:?}");
            }
        }
    }
}

#[test]
fn what_no_session_key_has_proven_is_unverified() {
    for state in all_states() {
        let status = status(vec![KeyStatus { unverified: true, ..key(state) }]);
        fits(&status);
        shows(&status, &["NwBvBlg3OTBJORFD (unverified)  ", "unverified: 41.2 C"]);
    }
    let mut named = KeyStatus { unverified: true, ..key(State::AwaitSerial) };
    (named.serial, named.expected_serial) = (None, named.serial);
    let screen = text(&lines(&status(vec![named])));
    assert!(!screen.contains("NwBvBlg3OTBJORFD (unverified)"), "the configuration states it:\n{screen}");
}

#[test]
fn rejected_clients_and_offers_are_shown_if_any() {
    let mut status = status(vec![key(State::Running)]);
    let usual = lines(&status).len();
    status.egd[0].refused = 2;
    status.egd[0].denied = 3;
    status.egd[0].dropped_idle = 1_234_567;
    status.offered_bytes = 4096;
    shows(
        &status,
        &[
            "\n  egd       768.0 kB to 3 clients (0 waiting) on unix:/run/ekeyd/egd.sock\n",
            "\n  egd         clients refused 2, denied 3, let go as idle 1234567\n",
            "\n  offered   4.1 kB by clients, mixed into the kernel without credit\n",
        ],
    );
    assert_eq!(lines(&status).len(), usual + 2);
    fits(&status);
}

#[test]
fn expanded_entropy_is_called_what_it_is() {
    let mut status = status(vec![key(State::Running)]);
    let listener = EgdStatus { listen: "unix:/run/ekeyd/expand.sock".to_owned(), ..status.egd[0].clone() };
    status.expand = Some(ExpandStatus {
        seeded: true,
        seeds: 3,
        seed_bytes: 0,
        seed_age_s: Some(42),
        generated_bytes: 784_384,
        ready_bytes: 16_384,
        listeners: vec![listener],
        ..ExpandStatus::default()
    });
    shows(
        &status,
        &[
            "\n  expand    NOT FULL ENTROPY: 784.4 kB made of 3 seeds, the last 42 s ago\n",
            "\n  expand    768.0 kB to 3 clients (0 waiting) on unix:/run/ekeyd/expand.sock\n",
            "\nAll is well: 1 key running.\n",
        ],
    );
    fits(&status);
    let problem = "the generator of [expand] has no seed yet: its clients wait".to_owned();
    status.expand = status.expand.map(|expand| ExpandStatus { problem: Some(problem), ..expand });
    let screen = text(&lines(&status));
    assert!(screen.ends_with("\nExpand: the generator of [expand] has no seed yet: its clients wait.\n"), "{screen}");
}

#[test]
fn no_key_says_to_plug_one_in() {
    let screen = text(&lines(&status(Vec::new())));
    assert!(screen.contains("plug an Entropy Key in"), "{screen}");
}

/// The EGD client of a guest's daemon, which has no key.
fn fetching(state: EgdClientState) -> EgdClientStatus {
    let server = "tcp:keys.example.org:8888".to_owned();
    let is_connected = state == EgdClientState::Connected;
    EgdClientStatus {
        servers: vec![server.clone()],
        state,
        since_s: 7384,
        server,
        address: is_connected.then(|| "192.0.2.1:8888".to_owned()),
        proven: false,
        requests: 460,
        received_bytes: 29_520,
        reconnects: 2,
        failures: 1,
        last_error: Some("EGD server tcp:keys.example.org:8888: it closed the connection; look there".to_owned()),
        ..EgdClientStatus::default()
    }
}

/// The tests of the server of [`fetching`].
fn tests(passed: bool, put_aside: Option<PutAside>) -> Vec<ServerTests> {
    let health = HealthStatus { tested_bytes: 1000, put_aside, ..HealthStatus::default() };
    vec![ServerTests { server: "tcp:keys.example.org:8888".to_owned(), passed, health }]
}

fn repeats() -> PutAside {
    PutAside {
        test: "period".to_owned(),
        what: "it repeats itself every 64 bytes".to_owned(),
        since_s: 60,
        ..PutAside::default()
    }
}

#[test]
fn a_guest_shows_its_server_and_unproven_bytes() {
    let status = Status { egd_client: Some(fetching(EgdClientState::Connected)), ..status(Vec::new()) };
    let screen = shows(
        &status,
        &[
            "\nEGD server  connected, for 2 h 3 min  tcp:keys.example.org:8888 (192.0.2.1:8888)\n",
            "\n  fetched   29.5 kB (no MAC proves them), 460 requests, 2 reconnects, 1 failure\n",
            "\nAll is well: EGD server connected.\n",
        ],
    );
    assert!(!screen.contains("No key"), "{screen}");
    fits(&status);
}

#[test]
fn all_is_well_only_after_a_servers_first_block() {
    let connected = fetching(EgdClientState::Connected);
    let mut status = status(Vec::new());
    status.egd_client = Some(EgdClientStatus { tests: tests(false, None), ..connected.clone() });
    let screen = shows(&status, &["\n  health    1.0 kB of the first 2.5 kB tested, none used yet\n"]);
    assert!(!screen.contains("All is well") && screen.contains("not tested yet"), "{screen}");
    status.egd_client = Some(EgdClientStatus { tests: tests(true, None), credited: Some(false), ..connected });
    shows(&status, &["all tests passed on 1.0 kB", "credit    none in the kernel", "All is well"]);
    fits(&status);
}

#[test]
fn a_retired_server_is_named_even_if_another_serves() {
    let retired = EgdClientStatus { tests: tests(false, Some(repeats())), ..fetching(EgdClientState::Resting) };
    let mut other = EgdClientStatus { tests: tests(false, Some(repeats())), ..fetching(EgdClientState::Connected) };
    other.server = "tcp:other:8888".to_owned();
    for client in [retired, other] {
        let status = Status { egd_client: Some(client), ..status(vec![key(State::Running)]) };
        let screen =
            shows(&status, &["\nEGD server tcp:keys.example.org:8888: its bytes fail the test period (it repeats\n"]);
        assert!(!screen.contains("All is well"), "{screen}");
        fits(&status);
    }
}

#[test]
fn a_server_that_is_not_there_is_the_last_word() {
    let status = Status { egd_client: Some(fetching(EgdClientState::Resting)), ..status(vec![key(State::Running)]) };
    let screen = text(&lines(&status));
    assert!(
        screen.ends_with("\nEGD server tcp:keys.example.org:8888: it closed the connection; look there.\n"),
        "{screen}"
    );
}

#[test]
fn a_software_key_is_loud_at_the_top_and_at_the_end() {
    let mut status = status(vec![key(State::Running)]);
    status.not_random = true;
    let lines = lines(&status);
    assert!(lines[1].text.contains("NOT RANDOM") && lines[1].tone == Tone::Bad, "{lines:?}");
    let last = lines.last().expect("a last line");
    assert!(last.text.contains("NOT RANDOM") && last.tone == Tone::Bad, "{lines:?}");
}

#[test]
fn of_several_keys_the_bad_one_has_advice() {
    let mut second = key(State::SerialUnknown);
    second.number = 2;
    shows(
        &status(vec![key(State::Running), second]),
        &[
            "Key 1  NwBvBlg3OTBJORFD  running, for 2 h 3 min",
            "Key 2  NwBvBlg3OTBJORFD  no long-term key, for",
            "ekey-ctl rekey",
        ],
    );
}

#[test]
fn many_keys_in_trouble_come_before_starting_ones() {
    let states: [KeyState; 5] = [
        State::Keying.into(),
        KeyState::Gone,
        State::Silent.into(),
        State::WrongSerial.into(),
        State::SelfStopped(Badness::from_code(b'8')).into(),
    ];
    let keys = (1..).zip(states).map(|(number, state)| KeyStatus { number, ..key(state) });
    let screen = text(&lines(&status(keys.collect())));
    let places: Vec<Option<usize>> =
        [2, 3, 4, 5, 1].iter().map(|number| screen.find(&format!("\nKey {number} ("))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "at {places:?} in\n{screen}");
}

#[test]
fn an_output_problem_is_the_last_line_if_all_keys_run() {
    let mut status = status(vec![key(State::Running)]);
    status.kernel.as_mut().expect("a kernel").problem = Some("no CAP_SYS_ADMIN: start it as a service".to_owned());
    let lines = lines(&status);
    assert_eq!(lines.last().map(|line| line.text.as_str()), Some("Kernel: no CAP_SYS_ADMIN: start it as a service"));
}

#[test]
fn an_unwritable_file_is_a_problem_and_a_full_one_not() {
    let mut status = status(vec![key(State::Running)]);
    for (max_bytes, well) in [(Some(10), true), (None, false)] {
        let stopped = Some("it stopped".to_owned());
        // The pool has given it nothing.
        status.books = None;
        status.file = Some(FileStatus { written_bytes: 10, max_bytes, stopped, ..file("/x") });
        let screen = text(&lines(&status));
        assert_eq!(screen.contains("All is well"), well, "{screen}");
    }
}

fn file(path: &str) -> FileStatus {
    FileStatus { path: path.to_owned(), ..FileStatus::default() }
}

#[test]
fn a_retired_key_names_its_test_and_the_next_step() {
    let mut status = status(vec![key(State::Running)]);
    let health = status.keys[0].health.as_mut().expect("health");
    health.put_aside = Some(PutAside {
        test: "repetition-count".to_owned(),
        at_byte: 4711,
        observed: 6,
        cutoff: 6,
        what: "one byte 6 times in a row, 6 is too often".to_owned(),
        since_s: 12,
        good_blocks: 19,
        good_blocks_due: 128,
    });
    fits(&status);
    let screen = shows(
        &status,
        &[
            "Key 1  NwBvBlg3OTBJORFD  retired: repetition-count test failed, for 12 s\n",
            "  health    FAILED at byte 4711: one byte 6 times in a row, 6 is too often\n",
            "Key 1 (NwBvBlg3OTBJORFD): its output failed the repetition-count test",
            "after 128 good blocks (19 so far)",
        ],
    );
    assert!(!screen.contains("All is well"), "{screen}");
}

#[test]
fn a_running_keys_own_report_is_a_warning() {
    let mut status = status(vec![key(State::Running)]);
    let health = status.keys[0].health.as_mut().expect("health");
    health.warnings =
        vec!["the key's own estimate for the left generator has fallen from 2.95 to 2.71 bits a byte".into()];
    fits(&status);
    let screen = text(&lines(&status));
    assert!(screen.contains("fallen from 2.95 to 2.71") && screen.contains("it may stop itself soon"), "{screen}");
}

#[test]
fn books_that_do_not_add_up_ask_for_a_report() {
    let mut status = status(vec![key(State::Running)]);
    assert_eq!(status.discrepancies(), []);
    status.pool.overflowed_bytes += 1;
    let screen = text(&lines(&status));
    assert!(screen.contains("The books do not add up (the pool: 29520000 bytes came"), "{screen}");
}

proptest! {
    #[test]
    fn the_longest_reports_still_fit(
        long in "\\PC{0,300}", spaced in "[a-z\u{1b}\n ä]{0,600}", state in prop::sample::select(all_states()), big in any::<u64>(), listeners in 0usize..8,
        not_random in any::<bool>(), fetches in any::<bool>(),
    ) {
        let mut key = key(state);
        key.path = long.clone();
        key.serial = Some(long.clone());
        key.detail = Some(spaced.clone());
        key.frames.ok = big;
        key.frames.replayed = big;
        key.connection.resets = big;
        let mut status = status(vec![key]);
        status.not_random = not_random;
        status.version = long.clone();
        status.control = long.clone();
        status.keyring.problem = Some(spaced.clone());
        status.kernel.as_mut().expect("a kernel").problem = Some(spaced.clone());
        let state = if not_random { EgdClientState::Resting } else { EgdClientState::Connected };
        let mut client = fetching(state);
        client.server = long.clone();
        client.address = Some(long.clone());
        client.last_error = Some(spaced.clone());
        client.requests = big;
        client.credited = Some(false);
        client.tests = tests(not_random, (big % 2 == 0).then(|| PutAside { test: long.clone(), ..repeats() }));
        client.tests[0].server = long.clone();
        status.egd_client = fetches.then_some(client);
        status.file = Some(FileStatus { written_bytes: big, stopped: Some(spaced), ..file(&long) });
        let listener = status.egd[0].clone();
        status.egd = vec![listener; listeners];
        fits(&status);
        // At least one piece of advice is shown, not only a count.
        let screen = lines(&status);
        let blank = screen.iter().rposition(|line| line.text.is_empty()).expect("a blank line");
        prop_assert!(screen.len() - blank > 1 + usize::from(not_random), "{}", text(&screen));
        prop_assert!(!screen[blank + 1].text.starts_with("And "), "{}", text(&screen));
    }
}

#[test]
fn a_pipe_gets_every_row_and_every_word() {
    let mut named = key(State::SerialUnknown);
    named.path = format!("/dev/{}", "long/".repeat(40));
    let status = status(vec![named]);
    let screen = text(&whole(&status));
    assert!(screen.contains(&status.keys[0].path) && !screen.contains("..."), "{screen}");
    for row in glance::output_rows(&status) {
        assert!(screen.contains(&row.1), "{row:?} is not in\n{screen}");
    }
}

#[test]
fn a_loss_above_one_in_a_hundred_is_named() {
    for (missing, named) in [(9, false), (200, true)] {
        let mut lossy = key(State::Running);
        (lossy.frames.ok, lossy.frames.gaps) = (9_800, missing);
        let screen = text(&lines(&status(vec![lossy])));
        assert_eq!(screen.contains(": 2.0 % LOST"), named, "{screen}");
    }
}
