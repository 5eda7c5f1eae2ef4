//! Shows an examination: a line for each test and statistic, the histogram, and a verdict.

use ekey_control::amount;
use ekey_health::{Report, Test};
use serde_json::{Value, json};

use super::histogram;
use super::paint::{Line, Tone};

/// Makes the lines for people. `unicode`: whether the terminal shows more than ASCII.
pub(crate) fn lines(report: &Report, unicode: bool) -> Vec<Line> {
    let summary = &report.summary;
    let tested = format!("{} bytes, each test with a false-alarm rate of {}", summary.bytes, report.alpha);
    let mut lines = vec![Line::new(Tone::Head, &tested)];
    for test in Test::ALL {
        let failed = report.alarms.iter().find(|alarm| alarm.test == test);
        lines.push(match failed {
            None => Line::plain(&format!("  {:<20} passed", test.name())),
            Some(alarm) => {
                Line::bad(&format!("  {:<20} FAILED at byte {}: {}", test.name(), alarm.at_byte, alarm.words()))
            }
        });
    }
    let fips = &report.fips;
    lines.push(Line::plain(&format!(
        "  {:<20} {} of {} blocks fail (monobit {}, poker {}, runs {}, long run {})",
        "FIPS 140-2", fips.failures, fips.blocks, fips.monobit, fips.poker, fips.runs, fips.long_run
    )));
    lines.push(Line::plain(""));
    lines.push(Line::new(Tone::Head, &format!("{:<35}{:<9}chance in good data", "Statistics", "expected")));
    let unlikely = report.unlikely();
    for (name, value, expected, p) in [
        ("ones", format!("{:.4} %", summary.ones * 100.0), "50 %", Some(summary.ones_p)),
        ("chi-square", format!("{:.1}", summary.chi_square), "255", Some(summary.chi_square_p)),
        ("serial correlation", format!("{:.6}", summary.serial_correlation), "0", Some(summary.serial_correlation_p)),
        ("mean byte", format!("{:.4}", summary.mean), "127.5", None),
        ("Shannon", format!("{:.6}", summary.shannon), "8", None),
        ("min-entropy (MCV)", format!("{:.4}", summary.min_entropy), "8", None),
    ] {
        let tone = if unlikely.iter().any(|(other, _)| *other == name) { Tone::Bad } else { Tone::Plain };
        let chance = p.map_or_else(String::new, chance);
        lines.push(Line::new(tone, &format!("  {name:<18} {value:>12}  {expected:<8} {chance}")));
    }
    lines.push(Line::plain(""));
    lines.extend(histogram::lines(report, unicode));
    lines.push(Line::plain(""));
    lines.push(verdict(report));
    lines
}

/// Makes the JSON for programs.
pub(crate) fn json(report: &Report, not_random: bool) -> Value {
    let (fips, summary) = (&report.fips, &report.summary);
    let alarms: Vec<Value> = report
        .alarms
        .iter()
        .map(|alarm| {
            json!({
                "test": alarm.test.name(), "at_byte": alarm.at_byte, "observed": alarm.observed, "cutoff": alarm.cutoff,
                "what": alarm.words(),
            })
        })
        .collect();
    let unlikely: Vec<&str> = report.unlikely().iter().map(|(name, _)| *name).collect();
    json!({
        "good": report.is_good(),
        "not_random": not_random,
        "alpha": report.alpha.to_string(),
        "bytes": summary.bytes,
        "failed": alarms,
        "unlikely": unlikely,
        "fips": {
            "blocks": fips.blocks, "failures": fips.failures, "monobit": fips.monobit, "poker": fips.poker,
            "runs": fips.runs, "long_run": fips.long_run,
        },
        "ones": summary.ones, "ones_p": summary.ones_p,
        "chi_square": summary.chi_square, "chi_square_p": summary.chi_square_p,
        "serial_correlation": summary.serial_correlation, "serial_correlation_p": summary.serial_correlation_p,
        "mean": summary.mean, "shannon": summary.shannon, "min_entropy": summary.min_entropy,
        "counts": report.counts.to_vec(),
    })
}

fn verdict(report: &Report) -> Line {
    let bytes = amount::bytes(report.summary.bytes);
    if report.is_good() {
        return Line::new(Tone::Good, &format!("These {bytes} pass every test."));
    }
    let tests = report.alarms.iter().map(|alarm| alarm.test.name());
    let all: Vec<&str> = tests.chain(report.unlikely().iter().map(|(name, _)| *name)).collect();
    Line::bad(&format!("NOT RANDOM: {}. Do not use this source.", all.join(", ")))
}

/// Writes a probability as a number, or as a power of two if it is small.
fn chance(p: f64) -> String {
    if p >= 0.0001 {
        format!("{p:.4}")
    } else if p > 0.0 {
        format!("2^{:.0}", p.log2())
    } else {
        "none".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use ekey_health::{Alpha, Examination};

    use super::*;

    fn report(bytes: &[u8]) -> Report {
        let mut examination = Examination::new(Alpha::default());
        examination.feed(bytes);
        examination.report().expect("enough bytes")
    }

    #[test]
    fn a_constant_stream_is_not_random() {
        let report = report(&[0; 20_000]);
        let text: Vec<String> = lines(&report, true).into_iter().map(|line| line.text).collect();
        assert!(text[1].contains("FAILED at byte 5: one byte 6 times in a row"), "{text:#?}");
        let last = text.last().expect("a verdict");
        assert!(last.starts_with("NOT RANDOM: repetition-count, adaptive-proportion, fips-ratio"), "{last}");
        let json = json(&report, false);
        assert_eq!((&json["good"], &json["failed"][0]["test"]), (&false.into(), &"repetition-count".into()));
        assert!(json["serial_correlation"].is_null(), "there is none");
    }

    #[test]
    fn a_chance_is_a_number_or_a_power_of_two() {
        for (p, expected) in [(1.0, "1.0000"), (0.05, "0.0500"), (1e-9, "2^-30"), (0.0, "none")] {
            assert_eq!(chance(p), expected);
        }
    }
}
