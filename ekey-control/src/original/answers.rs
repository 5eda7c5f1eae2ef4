//! The original's two answers, `ListEntropyKeys` and `StatEntropyKey`, made from our status.
//!
//! The formats are those of version 1.1.5, fed with frames of a real key. The temperature in kelvin is the frame's number divided by
//! 10, in Celsius that minus 273.15. The voltage is in volts. An estimate divided by its bytes is cut, not rounded, to two decimals.
//! Rates are whole bits per second over the whole time. Trailing zeros are cut off. Two things differ on purpose: we leave out what
//! the key has not said yet (the original answers with an error until it has seen every kind of information frame), and we compute
//! `FipsFrameRate` from the verified bytes, 2,496 per block, because the key's own counter restarts at times.

use std::fmt::Write as _;

use ekey_proto::session::State;
use ekey_proto::wire::Badness;

use crate::status::state::KeyState;
use crate::status::{KeyStatus, Sensors};

const FRAME_BYTES: u64 = 64;
const FIPS_BLOCK_BYTES: u64 = 78 * 32;

/// Returns the lines of `ListEntropyKeys`, the header first, with tabs between the columns. A key whose serial number is unknown
/// has no last column.
pub fn list_lines(keys: &[KeyStatus]) -> Vec<String> {
    let mut lines = vec!["NR\tOK\tStatus\tPath\tSerialNo".to_owned()];
    for key in keys {
        let okay = if key.state.is_okay() && key.put_aside().is_none() { "YES" } else { "NO" };
        // A tab in a path would be one column more.
        let path = key.path.replace('\t', "?");
        let mut line = format!("{}\t{okay}\t{}\t{path}", key.number, key.state.original_word());
        if let Some(serial) = key.known_serial() {
            let _ = write!(line, "\t{serial}");
        }
        lines.push(line);
    }
    lines
}

/// Returns the lines of `StatEntropyKey`, `Name=value`, sorted by name.
pub fn stat_lines(key: &KeyStatus) -> Vec<String> {
    let frames = &key.frames;
    let seconds = key.connection.seconds;
    let came_whole = frames.ok.saturating_add(frames.dropped());
    let mut lines = vec![
        format!("BytesRead={}", key.bytes_read),
        format!("BytesWritten={}", key.bytes_written),
        format!("ConnectionNonces={}", key.connection.nonces),
        format!("ConnectionPackets={}", key.connection.packets),
        format!("ConnectionRekeys={}", key.connection.rekeys),
        format!("ConnectionResets={}", key.connection.resets),
        format!("ConnectionTime={seconds}"),
        format!("EntropyRate={}", bits_per_second(key.entropy_bytes, seconds)),
        format!(
            "FipsFrameRate={}",
            hundredths(per(key.entropy_bytes.saturating_mul(100), FIPS_BLOCK_BYTES.saturating_mul(seconds)))
        ),
        // The offset of the last whole frame: exact as long as the stream ends with one.
        format!("FrameByteLast={}", if came_whole == 0 { 0 } else { key.bytes_read.saturating_sub(FRAME_BYTES) }),
        format!("FramesOk={came_whole}"),
        format!("FramingErrors={}", frames.framing_errors),
        format!("PacketErrors={}", frames.dropped()),
        format!("PacketOK={}", frames.ok),
        format!("ReadRate={}", bits_per_second(key.bytes_read, seconds)),
        format!("TotalEntropy={}", key.entropy_bytes),
        format!("WriteRate={}", bits_per_second(key.bytes_written, seconds)),
    ];
    lines.extend(sensor_lines(&key.sensors));
    lines.sort_unstable();
    lines
}

fn sensor_lines(sensors: &Sensors) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(decikelvin) = sensors.temperature_decikelvin {
        let celsius = i64::from(decikelvin) * 10 - 27_315;
        lines.push(format!("KeyTemperatureK={}", decimal(i64::from(decikelvin), 1)));
        lines.push(format!("KeyTemperatureC={}", decimal(celsius, 2)));
        // Hundredths by 1.8 are thousandths by 18.
        lines.push(format!("KeyTemperatureF={}", decimal(celsius * 18 + 32_000, 3)));
    }
    if let Some(millivolts) = sensors.supply_millivolts {
        lines.push(format!("KeyVoltage={}", decimal(i64::from(millivolts), 3)));
    }
    if let Some(generators) = sensors.generators {
        for (name, estimate, bytes) in [
            ("KeyRawShannonPerByteL", generators.left, generators.raw_bytes),
            ("KeyRawShannonPerByteR", generators.right, generators.raw_bytes),
            ("KeyRawShannonPerByteX", generators.xor, generators.raw_bytes),
            ("KeyDbsdShannonPerByteL", generators.debiased_left, generators.debiased_left_bytes),
            ("KeyDbsdShannonPerByteR", generators.debiased_right, generators.debiased_right_bytes),
        ] {
            if bytes > 0 {
                lines.push(format!("{name}={}", hundredths(per(u64::from(estimate) * 100, u64::from(bytes)))));
            }
        }
        let (short, english) = names(generators.badness);
        lines.push(format!("KeyRawBadness={}", generators.badness.code()));
        lines.push(format!("KeyShortBadness={short}"));
        lines.push(format!("KeyEnglishBadness={english}"));
    }
    lines
}

/// Returns what the original prints as `KeyShortBadness` and as `KeyEnglishBadness`. Programs may compare them.
fn names(badness: Badness) -> (&'static str, &'static str) {
    match badness.code() {
        '0' => ("efm_ok", "No failure"),
        '1' => ("efm_raw_left_bad", "Left generator is no longer random"),
        '2' => ("efm_raw_right_bad", "Right generator is no longer random"),
        '3' => ("efm_raw_xor_bad", "Generators have become correlated"),
        '4' => ("efm_debias_left_bad", "Left generator is strongly biassed"),
        '5' => ("efm_debias_right_bad", "Right generator is strongly biassed"),
        '7' => ("efm_temp_too_low", "Temperature detected below threshold"),
        '8' => ("efm_temp_too_high", "Temperature detected above threshold"),
        '9' => ("efm_fips1402_threshold_exceeded", "FIPS 140-2 tests exceeded threshold for failed blocks"),
        'A' => ("efm_volt_too_low", "Voltage too low"),
        'B' => ("efm_volt_too_high", "Voltage too high"),
        _ => ("efm_unknown", "Unknown"),
    }
}

impl KeyState {
    /// Returns the original's word, as measured on version 1.1.5.
    ///
    /// The original says `Long-Term-Key is bad` of a key without a long-term key, and of another key than the expected one. It has
    /// a word `Serial unknown`, which no key could be brought to show. Of a silent key it says `Unknown`.
    pub fn original_word(self) -> &'static str {
        match self {
            Self::Session(State::Opening)
            | Self::Session(State::AwaitSerial)
            | Self::Session(State::Silent)
            | Self::Recovering { .. } => "Unknown",
            Self::Session(State::SerialOk) | Self::Session(State::Keying) => "Serial ok",
            Self::Session(State::Running) => "Running OK",
            Self::Session(State::LongTermKeyBad)
            | Self::Session(State::SerialUnknown)
            | Self::Session(State::WrongSerial) => "Long-Term-Key is bad",
            Self::Session(State::SelfStopped(_)) => "Key has self-stopped",
            Self::Gone => "Key closed. (Vanished?)",
        }
    }
}

fn bits_per_second(bytes: u64, seconds: u64) -> u64 {
    per(bytes.saturating_mul(8), seconds)
}

fn per(count: u64, of: u64) -> u64 {
    count.checked_div(of).unwrap_or(0)
}

fn hundredths(value: u64) -> String {
    decimal(i64::try_from(value).unwrap_or(i64::MAX), 2)
}

/// `value` by 10 to the `places`, without trailing zeros: `decimal(3140, 2)` is `31.4`.
fn decimal(value: i64, places: usize) -> String {
    let digits = format!("{:0width$}", value.unsigned_abs(), width = places + 1);
    let (whole, rest) = digits.split_at(digits.len() - places);
    let rest = rest.trim_end_matches('0');
    let sign = if value < 0 { "-" } else { "" };
    if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}
