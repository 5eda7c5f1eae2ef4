//! What the daemon knows about one key, over all its sessions, for the status.

use std::path::Path;
use std::time::Instant;

use ekey_control::KeyState;
use ekey_control::books::KeyBooks;
use ekey_control::status::{ConnectionStatus, FrameCounts, KeyStatus, RungStatus, Sensors};
use ekey_link::Transport;
use ekey_link::revive::{Ladder, Rung, Tally};
use ekey_proto::Serial;
use ekey_proto::session::{Counters, Session, State};
use ekey_proto::wire::{FramerCounters, Info};

use super::KeySettings;
use super::rate::Rate;
use crate::source::health::Vitals;

/// Collects the figures of one key. Counts start when the key is added and only grow.
pub(super) struct Record {
    number: u32,
    path: String,
    expected: Option<Serial>,
    transport: Transport,
    serial: Option<Serial>,
    /// The serial number in the USB descriptor when the key was last opened.
    usb_serial: Option<String>,
    state: KeyState,
    since: Instant,
    added: Instant,
    detail: Option<String>,
    past: Counts,
    current: Counts,
    bytes: Bytes,
    rate: Rate,
    last_verified: Option<Instant>,
    sensors: Sensors,
    /// Whether what the key says of itself came under the public zero key.
    unverified: bool,
    /// Whether a frame has ever verified under a session key.
    has_proven: bool,
    revival: Vec<RungStatus>,
    books: KeyBooks,
    vitals: Option<Vitals>,
    warnings: Vec<String>,
    /// Whether its session may be a recording.
    doubtful: bool,
}

/// Counts of one session, or of all that have ended.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    session: Counters,
    framer: FramerCounters,
}

/// Counts bytes on the link.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bytes {
    pub(super) read: u64,
    pub(super) written: u64,
}

impl Record {
    pub(super) fn new(settings: &KeySettings) -> Self {
        let now = Instant::now();
        Self {
            number: settings.number,
            path: settings.name.shown(),
            expected: settings.expected,
            transport: Transport::Tty,
            serial: None,
            usb_serial: None,
            state: State::Opening.into(),
            since: now,
            added: now,
            detail: None,
            past: Counts::default(),
            current: Counts::default(),
            bytes: Bytes::default(),
            rate: Rate::new(now),
            last_verified: None,
            sensors: Sensors::default(),
            unverified: false,
            has_proven: false,
            revival: Vec::new(),
            books: KeyBooks::default(),
            vitals: None,
            warnings: Vec::new(),
            doubtful: false,
        }
    }

    /// Takes over the counts of the running session.
    pub(super) fn note_session(&mut self, session: &Session, bytes: Bytes, last_verified: Option<Instant>) {
        self.current = Counts { session: session.counters(), framer: session.framer_counters() };
        self.bytes = bytes;
        self.last_verified = last_verified.or(self.last_verified);
        self.serial = session.serial().or(self.serial);
        if session.serial().is_some() {
            self.set_proven(session.is_proven());
        }
        self.rate.note(Instant::now(), self.books.verified_bytes);
    }

    /// Adds the ended session's counts to those of past sessions.
    pub(super) fn end_session(&mut self) {
        let ended = std::mem::take(&mut self.current);
        self.past.session += ended.session;
        self.past.framer += ended.framer;
    }

    /// Notes the state and its reason. Returns whether either has changed.
    pub(super) fn enter(&mut self, state: KeyState, detail: Option<String>) -> bool {
        let news = self.state != state || (detail.is_some() && self.detail != detail);
        self.detail = detail;
        if self.state != state {
            self.state = state;
            self.since = Instant::now();
        }
        news
    }

    /// Notes where the key is and by which transport.
    pub(super) fn set_path(&mut self, path: &Path, transport: Transport) {
        self.path = path.display().to_string();
        self.transport = transport;
    }

    /// Notes the serial number in the key's USB descriptor, if it has one.
    pub(super) fn set_usb_serial(&mut self, serial: Option<&String>) {
        self.usb_serial = serial.cloned();
    }

    /// Returns whether the key runs, its session is certainly new, and its health tests have not retired it.
    pub(super) fn is_serving(&self) -> bool {
        self.state.is_running() && !self.doubtful && self.vitals.is_none_or(|vitals| !vitals.is_retired())
    }

    /// Returns whether a frame has ever verified under a session key.
    pub(super) fn has_proven(&self) -> bool {
        self.has_proven
    }

    /// Returns the serial number in the key's USB descriptor.
    pub(super) fn usb_serial(&self) -> Option<&String> {
        self.usb_serial.as_ref()
    }

    /// Takes over the ladder's counts, and the last step that failed to start.
    pub(super) fn set_revival(&mut self, ladder: &Ladder, refused: Option<&(Rung, String)>) {
        let status = |rung| {
            let tally = ladder.tally(rung);
            let Tally { attempts, successes, failures } = tally;
            let problem = refused.filter(|(refused, _)| *refused == rung).map(|(_, problem)| problem.clone());
            let tried = tally != Tally::default();
            tried.then_some(RungStatus { rung, attempts, successes, failures, problem })
        };
        self.revival = Rung::ALL.into_iter().filter_map(status).collect();
    }

    /// Takes over the account of the key's bytes, and its health.
    pub(super) fn set_books(&mut self, books: KeyBooks, vitals: Option<Vitals>) {
        self.books = books;
        self.vitals = vitals;
    }

    /// Notes whether the key's session may be a recording.
    pub(super) fn set_doubtful(&mut self, doubtful: bool) {
        self.doubtful = doubtful;
    }

    /// Returns the account of the key's bytes.
    pub(super) fn books(&self) -> KeyBooks {
        self.books
    }

    /// Notes whether frames verify under a session key. Once they do, what the key said before counts no longer.
    fn set_proven(&mut self, proven: bool) {
        if proven && self.unverified {
            self.sensors = Sensors::default();
        }
        self.unverified = !proven;
        self.has_proven |= proven;
    }

    /// Takes over the key's own report of its health, and the warnings about it if they are new. Values that `info` lacks stay
    /// unchanged. `proven`: it came under a session key.
    pub(super) fn note_info(&mut self, info: &Info, warnings: Option<Vec<String>>, proven: bool) {
        self.set_proven(proven);
        if let Some(warnings) = warnings {
            self.warnings = warnings;
        }
        let sensors = &mut self.sensors;
        sensors.temperature_decikelvin = info.temperature.or(sensors.temperature_decikelvin);
        sensors.supply_millivolts = info.voltage.or(sensors.supply_millivolts);
        sensors.fips = info.fips.or(sensors.fips);
        sensors.generators = info.generators.or(sensors.generators);
    }

    /// Reports the key.
    pub(super) fn status(&self) -> KeyStatus {
        let now = Instant::now();
        let mut all = self.past;
        all.session += self.current.session;
        all.framer += self.current.framer;
        let Counts { session, framer } = all;
        KeyStatus {
            number: self.number,
            path: self.path.clone(),
            transport: self.transport,
            serial: self.serial.map(|serial| serial.to_string()),
            expected_serial: self.expected.map(|serial| serial.to_string()),
            state: self.state,
            since_s: now.duration_since(self.since).as_secs(),
            detail: self.detail.clone().or_else(|| self.vitals.and_then(|vitals| vitals.detail())),
            frames: FrameCounts {
                ok: session.verified - session.replayed - session.unexpected - session.unknown_input,
                framing_errors: framer.framing_errors,
                mac_failures: session.mac_failures,
                replayed: session.replayed,
                gaps: session.lost,
                malformed: session.malformed,
                unknown_types: session.unexpected + session.unknown_input,
            },
            entropy_bytes: self.books.verified_bytes,
            rate_bytes_per_s: self.rate.bytes_per_second(now, self.books.verified_bytes),
            bytes_read: self.bytes.read,
            bytes_written: self.bytes.written,
            connection: ConnectionStatus {
                seconds: now.duration_since(self.added).as_secs(),
                packets: framer.frames,
                resets: session.resets,
                nonces: session.nonces,
                rekeys: session.rekeys,
            },
            last_frame_ms: self.last_verified.map(|at| millis(now.duration_since(at))),
            sensors: self.sensors,
            unverified: self.unverified,
            recoveries: self.revival.iter().map(|rung| rung.successes).sum(),
            revival: self.revival.clone(),
            books: self.books,
            health: self.vitals.map(|vitals| vitals.status(&self.warnings)),
            doubtful: self.doubtful,
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::source::key::lines::Lines;
    use crate::source::key::place::Name;

    fn record() -> Record {
        Record::new(&KeySettings {
            number: 1,
            name: Name::Path("/dev/key".into()),
            transport: crate::config::Transport::Auto,
            recovery: crate::config::Recovery::default(),
            health: crate::config::Health::default(),
            expected: None,
            timings: ekey_proto::session::Timings { opening_silence: Duration::ZERO, running_silence: Duration::ZERO },
            lines: Lines::new(&Default::default(), 1),
        })
    }

    #[test]
    fn what_no_session_key_has_proven_is_marked() {
        let mut record = record();
        assert!(!record.status().unverified, "it has said nothing");
        let hot = Info { temperature: Some(3731), voltage: Some(3250), ..Info::default() };
        record.note_info(&hot, None, false);
        let status = record.status();
        assert_eq!((status.unverified, status.sensors.temperature_decikelvin), (true, Some(3731)));
        assert!(!record.has_proven());

        let mild = Info { temperature: Some(3000), ..Info::default() };
        record.note_info(&mild, None, true);
        let status = record.status();
        let sensors = status.sensors;
        assert_eq!(
            (sensors.temperature_decikelvin, sensors.supply_millivolts),
            (Some(3000), None),
            "nothing of before"
        );
        assert!(!status.unverified && record.has_proven());

        record.note_info(&hot, None, false);
        assert!(record.status().unverified && record.has_proven(), "after a reset");
    }
}
