//! The states and the answers made from a status, held against what the original printed for the same key.

mod sample;

use ekey_control::advice::advice;
use ekey_control::books::FetchedBooks;
use ekey_control::glance::{Mood, all_is_well, key_mood};
use ekey_control::health::HealthStatus;
use ekey_control::original::{list_lines, stat_lines};
use ekey_control::status::{
    Account, EgdClientState, EgdClientStatus, KernelEra, KeyStatus, NonceStatus, OutletStatus, RungStatus, Sensors,
    ServerTests,
};
use ekey_control::{KeyState, Status, StatusError, tag};
use ekey_link::Transport;
use ekey_link::revive::Rung;
use ekey_proto::session::State;
use ekey_proto::wire::Badness;
use sample::{SERIAL, all_states, key, status};

/// What the original is known to print.
const WORDS: [&str; 7] = [
    "Unknown",
    "Serial ok",
    "Serial unknown",
    "Long-Term-Key is bad",
    "Key has self-stopped",
    "Running OK",
    "Key closed. (Vanished?)",
];

#[test]
fn every_state_has_a_word_of_the_original_and_ours() {
    for state in all_states() {
        assert!(WORDS.contains(&state.original_word()), "{state:?} is {:?}", state.original_word());
        assert!(!state.short_word().is_empty(), "{state:?}");
    }
}

#[test]
fn only_states_that_need_a_person_say_what_to_do() {
    for state in all_states() {
        let step = state.next_step(Some(SERIAL), "/dev/x");
        assert_eq!(step.is_none(), state.is_okay(), "{state:?} says {step:?}");
        assert!(step.is_none_or(|step| step.len() > 20), "{state:?}");
    }
}

#[test]
fn a_key_without_long_term_key_names_the_command() {
    let step = KeyState::from(State::SerialUnknown).next_step(Some(SERIAL), "/dev/x").expect("a step");
    assert!(step.contains("`ekey-ctl rekey NwBvBlg3OTBJORFD`"), "{step}");
}

#[test]
fn only_a_running_key_counts_as_running() {
    assert_eq!(all_states().iter().filter(|state| state.is_running()).count(), 1);
}

#[test]
fn each_badness_has_the_originals_names() {
    for (code, short, english) in [
        (b'0', "efm_ok", "No failure"),
        (b'3', "efm_raw_xor_bad", "Generators have become correlated"),
        (b'7', "efm_temp_too_low", "Temperature detected below threshold"),
        (b'9', "efm_fips1402_threshold_exceeded", "FIPS 140-2 tests exceeded threshold for failed blocks"),
        (b'B', "efm_volt_too_high", "Voltage too high"),
        (b'6', "efm_unknown", "Unknown"),
    ] {
        let mut key = key(State::Running);
        key.sensors.generators.as_mut().expect("its generators").badness = Badness::from_code(code);
        let lines = stat_lines(&key);
        for expected in [format!("KeyShortBadness={short}"), format!("KeyEnglishBadness={english}")] {
            assert!(lines.contains(&expected), "no {expected} in {lines:?}");
        }
    }
}

#[test]
fn the_numbers_are_the_originals_for_equal_frames() {
    let mut key = key(State::SerialOk);
    // As the original counted them: 7 frames of 64 bytes, one of which did not verify, two resets, 5 seconds.
    key.bytes_read = 448;
    key.bytes_written = 2;
    key.entropy_bytes = 0;
    key.frames = ekey_control::status::FrameCounts { ok: 6, mac_failures: 1, ..Default::default() };
    key.connection = ekey_control::status::ConnectionStatus { seconds: 5, packets: 7, resets: 2, nonces: 0, rekeys: 0 };
    let expected = "BytesRead=448 BytesWritten=2 ConnectionNonces=0 ConnectionPackets=7 ConnectionRekeys=0 ConnectionResets=2 \
               ConnectionTime=5 EntropyRate=0 FipsFrameRate=0 FrameByteLast=384 FramesOk=7 FramingErrors=0 KeyDbsdShannonPerByteL=2.93 \
               KeyDbsdShannonPerByteR=2.99 KeyEnglishBadness=No_failure KeyRawBadness=0 KeyRawShannonPerByteL=2.94 \
               KeyRawShannonPerByteR=2.95 KeyRawShannonPerByteX=2.92 KeyShortBadness=efm_ok KeyTemperatureC=41.15 KeyTemperatureF=106.07 \
               KeyTemperatureK=314.3 KeyVoltage=3.254 PacketErrors=1 PacketOK=6 ReadRate=716 TotalEntropy=0 WriteRate=3";
    let expected: Vec<String> = expected
        .split_whitespace()
        .map(|line| line.replace('_', if line.contains("No_") { " " } else { "_" }))
        .collect();
    assert_eq!(stat_lines(&key), expected);
}

#[test]
fn what_a_key_has_not_said_yet_is_left_out() {
    let mut key = key(State::Opening);
    key.sensors = Default::default();
    key.connection.seconds = 0;
    let lines = stat_lines(&key);
    assert!(lines.iter().any(|line| line == "ReadRate=0"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.starts_with("Key")), "{lines:?}");
}

#[test]
fn a_frosty_key_has_a_temperature_below_zero() {
    let mut key = key(State::Running);
    key.sensors.temperature_decikelvin = Some(2731);
    let lines = stat_lines(&key);
    for expected in ["KeyTemperatureK=273.1", "KeyTemperatureC=-0.05", "KeyTemperatureF=31.91"] {
        assert!(lines.iter().any(|line| line == expected), "no {expected} in {lines:?}");
    }
}

#[test]
fn the_list_has_the_originals_columns() {
    let mut unknown = key(State::AwaitSerial);
    (unknown.number, unknown.serial) = (2, None);
    let mut asked_for = key(KeyState::Gone);
    (asked_for.number, asked_for.serial, asked_for.expected_serial) = (3, None, Some("NwBvBlg3OTBJORFE".to_owned()));
    let expected = [
        "NR\tOK\tStatus\tPath\tSerialNo",
        "1\tYES\tRunning OK\t/dev/entropykey/NwBvBlg3OTBJORFD\tNwBvBlg3OTBJORFD",
        "2\tYES\tUnknown\t/dev/entropykey/NwBvBlg3OTBJORFD",
        "3\tNO\tKey closed. (Vanished?)\t/dev/entropykey/NwBvBlg3OTBJORFD\tNwBvBlg3OTBJORFE",
    ];
    assert_eq!(list_lines(&[key(State::Running), unknown, asked_for]), expected);
}

#[test]
fn a_tag_is_a_serial_number_path_or_end_of_a_path() {
    let mut second = key(State::Running);
    (second.number, second.path, second.serial) = (2, "/run/keys/1".to_owned(), None);
    let keys = [second, key(State::Running)];
    let found = |tag| tag::find(&keys, tag).map(|key| key.number);
    assert_eq!(found(SERIAL), Some(1));
    assert_eq!(found("1"), Some(1), "a number wins over the end of a path");
    assert_eq!(found("2"), Some(2));
    assert_eq!(found("/run/keys/1"), Some(2));
    assert_eq!(found("keys/1"), Some(2));
    for tag in ["", "s/1", "RFD", "01", " 1", "/run/keys"] {
        assert_eq!(found(tag), None, "{tag:?}");
    }
}

#[test]
fn a_status_survives_json_in_every_state() {
    for state in all_states() {
        let status = status(vec![key(state)]);
        let json = status.to_json().expect("JSON");
        assert!(!json.contains('\n'), "{json}");
        assert_eq!(Status::from_json(&json).expect("a status"), status);
    }
}

/// The JSON of states, and of one status with a key that the daemon has tried to revive; the file is a promise.
#[test]
fn the_json_is_held_byte_by_byte() {
    let mut seen = String::new();
    for state in all_states() {
        seen.push_str(&format!("{}\n", serde_json::to_string(&state).expect("JSON")));
    }
    for transport in Transport::ALL {
        let problem = (transport == Transport::Usb).then(|| "why".to_owned());
        let tried = |rung| RungStatus { rung, attempts: 3, successes: 2, failures: 1, problem: problem.clone() };
        let key = KeyStatus { transport, revival: Rung::ALL.map(tried).into(), ..key(State::Running) };
        seen.push_str(&status(vec![key]).to_json().expect("JSON"));
        seen.push('\n');
    }
    let mut silent = key(State::Opening);
    silent.sensors = Sensors::default();
    seen.push_str(&status(vec![silent]).to_json().expect("JSON"));
    assert_eq!(seen.trim_end(), include_str!("golden/status.json").trim_end(), "seen:\n{seen}");
}

#[test]
fn later_fields_are_skipped_later_formats_refused() {
    let status = status(Vec::new());
    let json = status.to_json().expect("JSON");
    let tomorrow = json.replacen('{', r#"{"moon":{"phase":3},"#, 1);
    assert_eq!(Status::from_json(&tomorrow).expect("a status"), status);
    let later = json.replace(r#""format":1"#, r#""format":2"#);
    assert!(matches!(Status::from_json(&later), Err(StatusError::Newer { format: 2 })));
    assert!(matches!(Status::from_json("{}"), Err(StatusError::Json(_))));
}

#[test]
fn no_text_of_a_status_acts_on_a_terminal() {
    let escapes = "/k\u{1b}]0;x\u{7}\u{9b}2J\r\n\u{202e}gnp.exe\u{2028}";
    let mut sent = status(vec![key(State::Running)]);
    sent.keyring.path = escapes.to_owned();
    sent.keys[0].detail = Some(escapes.to_owned());
    let json = sent.to_json().expect("JSON");
    let read = Status::from_json(&json).expect("a status");
    assert_eq!(read.keyring.path, "/k?]0;x??2J???gnp.exe?");
    assert_eq!(read.keys[0].detail.as_ref(), Some(&read.keyring.path));
}

#[test]
fn a_status_may_lack_servers_and_has_their_names() {
    let plain = status(Vec::new());
    let before = plain.to_json().expect("JSON").replace(r#","egd_client":null"#, "");
    assert!(!before.contains("egd_client"), "{before}");
    assert_eq!(Status::from_json(&before).expect("a status"), plain);
    let client = EgdClientStatus {
        servers: vec!["tcp:h:1".to_owned()],
        state: EgdClientState::Resting,
        since_s: 1,
        server: "tcp:h:1".to_owned(),
        address: None,
        proven: false,
        requests: 2,
        received_bytes: 3,
        reconnects: 4,
        failures: 5,
        last_error: None,
        credited: Some(true),
        books: Some(FetchedBooks { held_back_bytes: 1, handed_bytes: 2, put_aside_bytes: 0 }),
        tests: vec![ServerTests { server: "tcp:h:1".to_owned(), passed: true, health: HealthStatus::default() }],
    };
    let json = Status { egd_client: Some(client), ..plain }.to_json().expect("JSON");
    let expected = r#""egd_client":{"servers":["tcp:h:1"],"state":"resting","since_s":1,"server":"tcp:h:1","address":null,"proven":false,"requests":2,"received_bytes":3,"reconnects":4,"failures":5,"last_error":null,"credited":true,"books":{"held_back_bytes":1,"handed_bytes":2,"put_aside_bytes":0},"tests":[{"server":"tcp:h:1","passed":true,"health":{"alpha":"","tested_bytes":0,"fips_blocks":0,"fips_failures":0,"failures":[],"put_aside":null,"times_put_aside":0,"warnings":[]}}]}"#;
    assert!(json.contains(expected), "no {expected} in {json}");
}

#[test]
fn a_rate_that_is_no_number_does_not_spoil_the_json() {
    let mut key = key(State::Running);
    key.rate_bytes_per_s = f64::NAN;
    let json = status(vec![key]).to_json().expect("JSON");
    assert_eq!(Status::from_json(&json).expect("a status").keys[0].rate_bytes_per_s.to_bits(), 0);
}

/// Each state's words as a person reads them; the file is part of what is promised.
#[test]
fn what_to_do_in_every_state_is_held_word_by_word() {
    let mut seen = String::new();
    for state in all_states() {
        let status = status(vec![key(state)]);
        let advice = advice(&status);
        let words = advice.first().cloned().unwrap_or_else(|| all_is_well(&status));
        let state = serde_json::to_string(&state).expect("JSON");
        seen.push_str(&format!("{state}\n    {words}\n"));
    }
    let expected = include_str!("golden/advice.txt");
    assert_eq!(seen, expected, "seen:\n{seen}");
}

#[test]
fn a_bad_node_and_a_bad_keyring_outdo_the_state() {
    let mut held = key(State::Opening);
    held.detail = Some("/dev/ttyACM0: another program holds the key; stop it".to_owned());
    let expected = format!("Key 1 ({SERIAL}): /dev/ttyACM0: another program holds the key; stop it.");
    assert_eq!(advice(&status(vec![held.clone()])), [expected]);
    assert_eq!(key_mood(&held), Mood::Bad);

    let mut unread = status(vec![key(State::SerialUnknown)]);
    unread.keyring.problem = Some("/k:1: wrong\n/k:2: wrong too".to_owned());
    assert_eq!(advice(&unread), ["Keyring /k:1: wrong, /k:2: wrong too; then run `ekey-ctl keyring reload`."]);
}

#[test]
fn a_session_that_may_be_a_recording_is_not_well() {
    let mut early = key(State::Running);
    early.doubtful = true;
    let told = advice(&status(vec![early.clone()]));
    assert!(told.len() == 1 && told[0].contains("could be a recording"), "{told:?}");
    assert_eq!((key_mood(&early), early.is_serving(), early.is_starting()), (Mood::Soon, false, true));

    let mut lost = status(vec![key(State::Running)]);
    lost.nonces = Some(NonceStatus { file: "/v/nonce-counter".to_owned(), problem: Some("/v: make it".to_owned()) });
    assert_eq!(advice(&lost), ["Nonce counter /v: make it."]);
}

#[test]
fn a_kernel_that_counts_bits_needs_credit() {
    for (era, ready, privileged, problems) in [
        (KernelEra::Since2022, true, false, 0),
        (KernelEra::Since2022, false, false, 1),
        (KernelEra::Before2022, true, false, 1),
        (KernelEra::Before2022, false, true, 0),
    ] {
        let mut status = status(vec![key(State::Running)]);
        let kernel = status.kernel.as_mut().expect("a kernel");
        (kernel.era, kernel.ready, kernel.privileged) = (Some(era), ready, privileged);
        let seen = advice(&status);
        assert_eq!(seen.len(), problems, "{era:?}, ready {ready}, privileged {privileged}: {seen:?}");
    }
}

#[test]
fn an_outlet_of_any_kind_shows_itself() {
    let account = Account { given_bytes: 3000, passed_on_bytes: 1000, waiting_bytes: 500, dropped_bytes: 1500 };
    let toy = OutletStatus::new("toy", account, Some("it is broken; mend it".to_owned()));
    let part =
        Status { outlets: vec![toy], ..status(Vec::new()) }.parts().into_iter().find(|part| part.name == "outlets");
    let part = part.expect("a part for it");
    assert_eq!(part.rows, [("outlet", "toy: 1.0 kB passed on, 500 B waiting, 1.5 kB dropped".to_owned())]);
    assert_eq!(part.problems.len(), 1);
    assert!(part.problems[0].needs_a_person && part.problems[0].text == "Outlet toy: it is broken; mend it.");
}
