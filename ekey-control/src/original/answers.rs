//! The original's two answers, `ListEntropyKeys` and `StatEntropyKey`, made from our status.
//!
//! Formats were taken from version 1.1.5 fed with frames of a real key: temperature in kelvin is the frame's number by 10, in Celsius
//! that less 273.15; voltage is in volts; an estimate divided by its bytes is cut, not rounded, to two decimals; rates are whole bits
//! a second over the whole time; no number has trailing zeros. Two things differ on purpose. What the key has not said yet is left out
//! (the original answers with an error until every kind of information frame has come). `FipsFrameRate` is worked out from the
//! verified bytes, 2,496 to a block, because the key's own counter starts over now and then.

use std::fmt::Write as _;

use crate::status::state::Badness;
use crate::status::{KeyStatus, Sensors};

const FRAME_BYTES: u64 = 64;
const FIPS_BLOCK_BYTES: u64 = 78 * 32;

/// The lines of `ListEntropyKeys`, the header first; columns are separated by tabs. The serial number is left off while it is unknown.
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

/// The lines of `StatEntropyKey`, `Name=value`, sorted by name.
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
    if let Some(shannon) = sensors.shannon {
        for (name, estimate, bytes) in [
            ("KeyRawShannonPerByteL", shannon.left, shannon.raw_bytes),
            ("KeyRawShannonPerByteR", shannon.right, shannon.raw_bytes),
            ("KeyRawShannonPerByteX", shannon.xor, shannon.raw_bytes),
            ("KeyDbsdShannonPerByteL", shannon.debiased_left, shannon.debiased_left_bytes),
            ("KeyDbsdShannonPerByteR", shannon.debiased_right, shannon.debiased_right_bytes),
        ] {
            if bytes > 0 {
                lines.push(format!("{name}={}", hundredths(per(u64::from(estimate) * 100, u64::from(bytes)))));
            }
        }
    }
    if let Some(character) = sensors.badness {
        let badness = Badness::from(character);
        lines.push(format!("KeyRawBadness={character}"));
        lines.push(format!("KeyShortBadness={}", badness.short()));
        lines.push(format!("KeyEnglishBadness={}", badness.english()));
    }
    lines
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
