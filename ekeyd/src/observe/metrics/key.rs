//! The metrics of each key, labelled with its number and its serial number.

use ekey_control::KeyState;
use ekey_control::glance::celsius;
use ekey_control::health::HealthStatus;
use ekey_control::status::KeyStatus;
use ekey_link::revive::Rung;
use ekey_proto::session::State;

use super::exposition::{Exposition, Kind};

/// Name, unit, help, and where the daemon's own count is.
type Tested = (&'static str, &'static str, &'static str, fn(&HealthStatus) -> u64);

/// The daemon's own tests, each with its count from the start, so that its first failure is a rise.
const TESTS: [&str; 6] = ["repetition-count", "adaptive-proportion", "fips-ratio", "bias", "period", "replay"];

/// Name, unit, help, and where the count is.
type Count = (&'static str, &'static str, &'static str, fn(&KeyStatus) -> u64);

const COUNTS: [Count; 10] = [
    ("key_entropy_bytes", "bytes", "Entropy that was verified and handed on.", |key| key.entropy_bytes),
    ("key_read_bytes", "bytes", "Bytes read from the key.", |key| key.bytes_read),
    ("key_written_bytes", "bytes", "Bytes written to the key.", |key| key.bytes_written),
    ("key_put_aside_bytes", "bytes", "Bytes of a key that is put aside: mixed without credit, or wiped.", |key| {
        key.books.put_aside_bytes
    }),
    ("key_dropped_bytes", "bytes", "Bytes that were wiped, as there was nobody left to take them.", |key| {
        key.books.dropped_bytes
    }),
    ("key_frames_missing", "", "Sequence numbers that were left out.", |key| key.frames.gaps),
    ("key_resets", "", "Resets that were sent to the key.", |key| key.connection.resets),
    ("key_nonces", "", "Nonces that were sent to the key.", |key| key.connection.nonces),
    ("key_rekeys", "", "Session keys that were agreed with the key.", |key| key.connection.rekeys),
    ("key_recoveries", "", "How often a step of reviving has revived the key.", |key| key.recoveries),
];

/// Name, unit, help, and where the value is, if the key has told it.
type Level = (&'static str, &'static str, &'static str, fn(&KeyStatus) -> Option<f64>);

const LEVELS: [Level; 5] = [
    ("key_state_age_seconds", "seconds", "How long the key has been in its state.", |key| Some(key.since_s as f64)),
    ("key_last_frame_age_seconds", "seconds", "Time since the last frame that verified.", |key| {
        key.last_frame_ms.map(|ms| ms as f64 / 1000.0)
    }),
    ("key_temperature_celsius", "celsius", "The key's temperature.", |key| {
        key.sensors.temperature_decikelvin.map(|value| (celsius(value) * 100.0).round() / 100.0)
    }),
    ("key_supply_volts", "volts", "The key's supply voltage.", |key| {
        key.sensors.supply_millivolts.map(|value| f64::from(value) / 1000.0)
    }),
    ("key_self_stopped", "", "Whether the key has found itself unfit: 1 if so.", |key| {
        Some(f64::from(u8::from(matches!(key.state, KeyState::Session(State::SelfStopped(_))))))
    }),
];

/// A key and the labels of all its metrics.
struct Labelled<'k> {
    key: &'k KeyStatus,
    number: String,
}

impl<'k> Labelled<'k> {
    fn labels(&'k self) -> [(&'static str, &'k str); 2] {
        [("key", &self.number), ("serial", self.key.known_serial().unwrap_or_default())]
    }

    fn with(&'k self, name: &'static str, text: &'k str) -> [(&'static str, &'k str); 3] {
        let [number, serial] = self.labels();
        [number, serial, (name, text)]
    }
}

pub(super) fn keys(out: &mut Exposition, keys: &[KeyStatus]) {
    let keys: Vec<Labelled<'_>> = keys.iter().map(|key| Labelled { key, number: key.number.to_string() }).collect();
    let mut family = out.family(Kind::Info, "key", "", "A key; where it is and how it is reached is in the labels.");
    for key in &keys {
        let [number, serial] = key.labels();
        let transport = ("transport", key.key.transport.name());
        family.sample(&[number, serial, ("path", &key.key.path), transport], 1);
    }
    let mut family = out.family(Kind::Gauge, "key_state", "", "The state of the key: 1 for the one it is in.");
    for key in &keys {
        let is = key.key.state.name();
        for name in KeyState::EACH.map(KeyState::name) {
            family.sample(&key.with("state", name), u8::from(name == is));
        }
    }
    for (name, unit, help, value) in LEVELS {
        let mut family = out.family(Kind::Gauge, name, unit, help);
        keys.iter().for_each(|key| family.maybe(&key.labels(), value(key.key)));
    }
    for (name, unit, help, count) in COUNTS {
        let mut family = out.family(Kind::Counter, name, unit, help);
        for key in &keys {
            family.sample(&key.labels(), count(key.key));
        }
    }
    frames(out, &keys);
    self_tests(out, &keys);
    health(out, &keys);
    revival(out, &keys);
}

fn frames(out: &mut Exposition, keys: &[Labelled<'_>]) {
    let help = "Frames by what became of them; only those that are verified give entropy.";
    let mut family = out.family(Kind::Counter, "key_frames", "", help);
    for key in keys {
        let counts = key.key.frames;
        for (result, count) in [
            ("verified", counts.ok),
            ("framing-error", counts.framing_errors),
            ("mac-failure", counts.mac_failures),
            ("replayed", counts.replayed),
            ("malformed", counts.malformed),
            ("unknown-type", counts.unknown_types),
        ] {
            family.sample(&key.with("result", result), count);
        }
    }
}

/// What the key says of itself.
fn self_tests(out: &mut Exposition, keys: &[Labelled<'_>]) {
    let help = "Blocks of 20000 bits that the key has tested by FIPS 140-2, as it says itself.";
    let mut family = out.family(Kind::Counter, "key_fips_blocks", "", help);
    keys.iter().for_each(|key| family.maybe(&key.labels(), key.key.sensors.fips.map(|fips| fips.blocks)));
    let mut family = out.family(Kind::Counter, "key_fips_failures", "", "Of these, the blocks that failed.");
    keys.iter().for_each(|key| family.maybe(&key.labels(), key.key.sensors.fips.map(|fips| fips.failures)));
    let help = "Entropy in a bit of a generator's output, as the key estimates it itself.";
    let mut family = out.family(Kind::Gauge, "key_estimate_ratio", "ratio", help);
    for key in keys {
        let Some(generators) = key.key.sensors.generators else { continue };
        for (source, estimate, bytes) in [
            ("raw-left", generators.left, generators.raw_bytes),
            ("raw-right", generators.right, generators.raw_bytes),
            ("raw-xor", generators.xor, generators.raw_bytes),
            ("debiased-left", generators.debiased_left, generators.debiased_left_bytes),
            ("debiased-right", generators.debiased_right, generators.debiased_right_bytes),
        ] {
            let ratio = (bytes > 0).then(|| f64::from(estimate) / (8.0 * f64::from(bytes)));
            let ratio = ratio.map(|ratio| (ratio * 1e6).round() / 1e6);
            family.maybe(&key.with("source", source), ratio);
        }
    }
}

/// What the daemon's own tests say of the stream.
fn health(out: &mut Exposition, keys: &[Labelled<'_>]) {
    let help = "Whether the key's output has failed a health test and is not handed out: 1 if so.";
    let mut family = out.family(Kind::Gauge, "key_put_aside", "", help);
    for key in keys {
        let aside = key.key.health.as_ref().map(|health| u8::from(health.put_aside.is_some()));
        family.maybe(&key.labels(), aside);
    }
    let help = "Whether something in what the key says of itself is a warning: 1 if so.";
    let mut family = out.family(Kind::Gauge, "key_health_warning", "", help);
    for key in keys {
        family.maybe(&key.labels(), key.key.health.as_ref().map(|health| u8::from(!health.warnings.is_empty())));
    }
    let help = "Failures of the daemon's own tests of the key's output, by test.";
    let mut family = out.family(Kind::Counter, "key_health_failures", "", help);
    for key in keys {
        let Some(health) = &key.key.health else { continue };
        for test in TESTS {
            let failures = health.failures.iter().find(|failures| failures.test == test);
            family.sample(&key.with("test", test), failures.map_or(0, |failures| failures.count));
        }
    }
    let figures: [Tested; 3] = [
        ("key_tested_bytes", "bytes", "Bytes that the daemon's own tests have looked at.", |health| {
            health.tested_bytes
        }),
        ("key_tested_blocks", "", "Blocks of 20000 bits that the daemon has tested by FIPS 140-2.", |health| {
            health.fips_blocks
        }),
        ("key_tested_block_failures", "", "Of these, the blocks that failed.", |health| health.fips_failures),
    ];
    for (name, unit, help, figure) in figures {
        let mut family = out.family(Kind::Counter, name, unit, help);
        keys.iter().for_each(|key| family.maybe(&key.labels(), key.key.health.as_ref().map(figure)));
    }
}

/// Every step of the ladder, also those that were never tried: a counter that is there from the start shows its first rise.
fn revival(out: &mut Exposition, keys: &[Labelled<'_>]) {
    let mut family =
        out.family(Kind::Counter, "key_revival_attempts", "", "Steps of reviving the key that were tried.");
    for key in keys {
        for rung in Rung::ALL {
            let tried = key.key.revival.iter().find(|status| status.rung == rung);
            family.sample(&key.with("rung", rung.name()), tried.map_or(0, |status| status.attempts));
        }
    }
}
