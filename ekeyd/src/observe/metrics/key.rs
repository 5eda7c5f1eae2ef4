//! The metrics of each key, labelled with its number and serial number.

use ekey_control::KeyState;
use ekey_control::amount::celsius;
use ekey_control::health::HealthStatus;
use ekey_control::status::KeyStatus;
use ekey_link::revive::Rung;
use ekey_proto::session::State;

use super::exposition::{Exposition, Kind};

/// Name and help, and how to read the figure from the daemon's own tests.
type Tested = (&'static str, &'static str, fn(&HealthStatus) -> u64);

/// The daemon's own tests. Each counter exists from the start, so that its first failure shows as an increase.
const TESTS: [&str; 6] = ["repetition-count", "adaptive-proportion", "fips-ratio", "bias", "period", "replay"];

/// Name and help, and how to read the count.
type Count = (&'static str, &'static str, fn(&KeyStatus) -> u64);

const COUNTS: [Count; 10] = [
    ("key_entropy_bytes", "Verified entropy of the key.", |key| key.entropy_bytes),
    ("key_read_bytes", "Bytes read from the key.", |key| key.bytes_read),
    ("key_written_bytes", "Bytes written to the key.", |key| key.bytes_written),
    ("key_put_aside_bytes", "Bytes of a retired key, mixed without credit or wiped.", |key| key.books.put_aside_bytes),
    ("key_dropped_bytes", "Bytes wiped because nothing was left to take them.", |key| key.books.dropped_bytes),
    ("key_frames_missing", "Missing sequence numbers.", |key| key.frames.gaps),
    ("key_resets", "Resets sent to the key.", |key| key.connection.resets),
    ("key_nonces", "Nonces sent to the key.", |key| key.connection.nonces),
    ("key_rekeys", "Session keys agreed with the key.", |key| key.connection.rekeys),
    ("key_recoveries", "Revivals of the key that succeeded.", |key| key.recoveries),
];

/// Name and help, and how to read the value, if the key has reported it.
type Level = (&'static str, &'static str, fn(&KeyStatus) -> Option<f64>);

const LEVELS: [Level; 5] = [
    ("key_state_age_seconds", "How long the key has been in its state.", |key| Some(key.since_s as f64)),
    ("key_last_frame_age_seconds", "Time since the last verified frame.", |key| {
        key.last_frame_ms.map(|ms| ms as f64 / 1000.0)
    }),
    ("key_temperature_celsius", "The key's temperature.", |key| {
        key.sensors_now()?.temperature_decikelvin.map(|value| (celsius(value) * 100.0).round() / 100.0)
    }),
    ("key_supply_volts", "The key's supply voltage.", |key| {
        key.sensors_now()?.supply_millivolts.map(|value| f64::from(value) / 1000.0)
    }),
    ("key_self_stopped", "1 if the key's own tests have stopped it, else 0.", |key| {
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
    let mut family = out.family(Kind::Info, "key", "A key; the labels have its path and transport.");
    for key in &keys {
        let [number, serial] = key.labels();
        let transport = ("transport", key.key.transport.name());
        family.sample(&[number, serial, ("path", &key.key.path), transport], 1);
    }
    let mut family = out.family(Kind::Gauge, "key_state", "1 for the key's present state, 0 for each other state.");
    for key in &keys {
        let is = key.key.state.name();
        for name in KeyState::EACH.map(KeyState::name) {
            family.sample(&key.with("state", name), u8::from(name == is));
        }
    }
    for (name, help, value) in LEVELS {
        let mut family = out.family(Kind::Gauge, name, help);
        keys.iter().for_each(|key| family.maybe(&key.labels(), value(key.key)));
    }
    for (name, help, count) in COUNTS {
        let mut family = out.family(Kind::Counter, name, help);
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
    let help = "Frames by result; only verified frames give entropy.";
    let mut family = out.family(Kind::Counter, "key_frames", help);
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

/// Writes the key's own reports.
fn self_tests(out: &mut Exposition, keys: &[Labelled<'_>]) {
    let help = "Blocks of 20000 bits that the key has tested by FIPS 140-2, by its own report.";
    let mut family = out.family(Kind::Counter, "key_fips_blocks", help);
    keys.iter().for_each(|key| family.maybe(&key.labels(), key.key.sensors.fips.map(|fips| fips.blocks)));
    let mut family = out.family(Kind::Counter, "key_fips_failures", "Of these, the blocks that failed.");
    keys.iter().for_each(|key| family.maybe(&key.labels(), key.key.sensors.fips.map(|fips| fips.failures)));
    let help = "Entropy per bit of a generator's output, by the key's own estimate.";
    let mut family = out.family(Kind::Gauge, "key_estimate_ratio", help);
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

/// Writes the results of the daemon's own tests.
fn health(out: &mut Exposition, keys: &[Labelled<'_>]) {
    let help = "1 if the key is retired because its output failed a health test, else 0.";
    let mut family = out.family(Kind::Gauge, "key_put_aside", help);
    for key in keys {
        let aside = key.key.health.as_ref().map(|health| u8::from(health.put_aside.is_some()));
        family.maybe(&key.labels(), aside);
    }
    let help = "1 if the key's own report gives a warning, else 0.";
    let mut family = out.family(Kind::Gauge, "key_health_warning", help);
    for key in keys {
        family.maybe(&key.labels(), key.key.health.as_ref().map(|health| u8::from(!health.warnings.is_empty())));
    }
    let help = "Failures of the daemon's own tests of the key's output, by test.";
    let mut family = out.family(Kind::Counter, "key_health_failures", help);
    for key in keys {
        let Some(health) = &key.key.health else { continue };
        for test in TESTS {
            let failures = health.failures.iter().find(|failures| failures.test == test);
            family.sample(&key.with("test", test), failures.map_or(0, |failures| failures.count));
        }
    }
    let figures: [Tested; 3] = [
        ("key_tested_bytes", "Bytes that the daemon's own tests have checked.", |health| health.tested_bytes),
        ("key_tested_blocks", "Blocks of 20000 bits that the daemon has tested by FIPS 140-2.", |health| {
            health.fips_blocks
        }),
        ("key_tested_block_failures", "Of these, the blocks that failed.", |health| health.fips_failures),
    ];
    for (name, help, figure) in figures {
        let mut family = out.family(Kind::Counter, name, help);
        keys.iter().for_each(|key| family.maybe(&key.labels(), key.key.health.as_ref().map(figure)));
    }
}

/// Writes every step of the ladder, even if never tried: a counter that exists from the start shows its first increase.
fn revival(out: &mut Exposition, keys: &[Labelled<'_>]) {
    let mut family = out.family(Kind::Counter, "key_revival_attempts", "Attempts to revive the key, by step.");
    for key in keys {
        for rung in Rung::ALL {
            let tried = key.key.revival.iter().find(|status| status.rung == rung);
            family.sample(&key.with("rung", rung.name()), tried.map_or(0, |status| status.attempts));
        }
    }
}
