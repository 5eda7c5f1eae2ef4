//! A status as a healthy daemon with one key would give it; the sensors are those of a real key's frames.

use ekey_control::KeyState;
use ekey_control::books::{Books, KeyBooks};
use ekey_control::health::HealthStatus;
use ekey_control::status::{
    ConnectionStatus, EgdStatus, FrameCounts, KernelEra, KernelStatus, KeyStatus, KeyringStatus, PoolStatus, Sensors,
    Status,
};
use ekey_link::Transport;
use ekey_link::revive::Rung;
use ekey_proto::session::State;
use ekey_proto::wire::{Badness, FipsCounts, GeneratorState};

pub(crate) const SERIAL: &str = "NwBvBlg3OTBJORFD";

pub(crate) fn all_states() -> Vec<KeyState> {
    let badness = |code| -> KeyState { State::SelfStopped(Badness::from_code(code)).into() };
    let mut states = KeyState::EACH.to_vec();
    states.retain(|state| !matches!(state, KeyState::Session(State::SelfStopped(_)) | KeyState::Recovering { .. }));
    states.extend(b"0123456789AB?".iter().copied().map(badness));
    states.extend(Rung::ALL.map(|rung| KeyState::Recovering { rung }));
    states
}

pub(crate) fn key(state: impl Into<KeyState>) -> KeyStatus {
    KeyStatus {
        number: 1,
        path: format!("/dev/entropykey/{SERIAL}"),
        transport: Transport::Tty,
        serial: Some(SERIAL.to_owned()),
        expected_serial: None,
        state: state.into(),
        since_s: 7380,
        detail: None,
        frames: FrameCounts {
            ok: 930_000,
            framing_errors: 1,
            mac_failures: 2,
            replayed: 0,
            gaps: 0,
            malformed: 0,
            unknown_types: 0,
        },
        entropy_bytes: 29_520_000,
        rate_bytes_per_s: 4012.4,
        bytes_read: 59_520_128,
        bytes_written: 3500,
        connection: ConnectionStatus { seconds: 7382, packets: 930_002, resets: 1, nonces: 228, rekeys: 227 },
        last_frame_ms: Some(12),
        sensors: Sensors {
            temperature_decikelvin: Some(3143),
            supply_millivolts: Some(3254),
            fips: Some(FipsCounts { blocks: 7342, ..FipsCounts::default() }),
            generators: Some(GeneratorState {
                raw_bytes: 8052,
                left: 23751,
                right: 23792,
                xor: 23584,
                debiased_left_bytes: 7112,
                debiased_left: 20876,
                debiased_right_bytes: 8063,
                debiased_right: 24150,
                badness: Badness::NONE,
            }),
        },
        unverified: false,
        recoveries: 0,
        revival: Vec::new(),
        books: KeyBooks { verified_bytes: 29_520_000, handed_bytes: 29_520_000, ..KeyBooks::default() },
        health: Some(HealthStatus {
            alpha: "2^-40".to_owned(),
            tested_bytes: 29_520_000,
            fips_blocks: 11_808,
            fips_failures: 9,
            ..HealthStatus::default()
        }),
        doubtful: false,
    }
}

pub(crate) fn status(keys: Vec<KeyStatus>) -> Status {
    // Without a key, all comes from a server.
    let fetched_bytes = if keys.is_empty() { 29_520_000 } else { 0 };
    let received_bytes = fetched_bytes + keys.iter().map(|key| key.books.handed_bytes).sum::<u64>();
    Status {
        format: 1,
        version: "0.1.0".to_owned(),
        host: "keyhost".to_owned(),
        as_of_unix_s: 1_700_000_000,
        pid: 4711,
        uptime_s: 7384,
        not_random: false,
        keyring: KeyringStatus { path: "/etc/entropykey/keyring".to_owned(), keys: 1, problem: None },
        keys,
        idle_keys: Vec::new(),
        books: Some(Books { most_on_the_way_bytes: 40_960, fetched_bytes, ..Books::default() }),
        outlets: Vec::new(),
        pool: PoolStatus {
            bytes: 1_048_576,
            capacity: 1_048_576,
            overflowed_bytes: received_bytes - 1_048_576 - 7872 - 768_000,
            received_bytes,
            wiped_bytes: 0,
        },
        kernel: Some(KernelStatus {
            era: Some(KernelEra::Since2022),
            ready: true,
            given_bytes: 7872,
            mixed_bytes: 7872,
            dropped_bytes: 0,
            credited_bits: 55_104,
            privileged: true,
            problem: None,
        }),
        file: None,
        egd: vec![EgdStatus {
            listen: "unix:/run/ekeyd/egd.sock".to_owned(),
            clients: 3,
            requests: 12_000,
            served_bytes: 768_000,
            other_bytes: 0,
            sent_bytes: 767_936,
            waiting_bytes: 0,
            dropped_bytes: 64,
            waiting: 0,
            refused: 0,
            denied: 0,
            dropped_idle: 0,
            tls: None,
        }],
        peers: Vec::new(),
        combine: None,
        expand: None,
        offered_bytes: 0,
        egd_client: None,
        control: "/run/ekeyd/control.sock".to_owned(),
        nonces: None,
        clones: None,
        confinement: None,
    }
}
