//! Both configuration formats: every mistake has a place in the file, what is read is within its bounds, one more empty
//! line moves the places and nothing else, and a converted ekeyd.conf says the same as the original.

use std::path::Path;

use ekey_control::OriginalConfig;
use ekeyd::fuzzing::{Configuration, Place};

#[path = "../../ekey-ctl/src/render/toml.rs"]
mod convert;

/// Longest text of all mistakes, in bytes: more than the daemon's own limits on their number and length allow.
const MOST_SHOWN: usize = 102 * 4 * 450;

/// Reads this daemon's own format.
pub fn config_toml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = read("ekeyd.toml", text);
    // A byte order mark means nothing at the start of a file, and only there.
    if text.starts_with('\u{feff}') {
        return;
    }
    moved(&read, Configuration::read("ekeyd.toml", &format!("\n{text}")));
    if let Ok(config) = &read {
        let longer = Configuration::read("ekeyd.toml", &format!("{text}\n# \"[kernel]\n"));
        assert_eq!(longer.as_ref().ok(), Some(config), "a comment at the end changes what the file says");
    }
}

/// Reads the original's format.
pub fn config_original(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = read("ekeyd.conf", text);
    moved(&read, Configuration::read("ekeyd.conf", &format!("\n{text}")));
    let (original, mistakes) = OriginalConfig::read(text);
    if !mistakes.is_empty() {
        assert!(read.is_err(), "the daemon takes what the tool refuses: {mistakes:?}");
        return;
    }
    let converted = convert::of_original(&original, Path::new("/ekeyd.conf"));
    match (Configuration::read("ekeyd.toml", &converted), &read) {
        (Ok(toml), Ok(config)) => {
            assert_eq!(toml.in_both_formats(), config.in_both_formats(), "converted:\n{converted}");
        }
        (Err((mistakes, shown)), _) => {
            // The original accepts one path for two things.
            let clash = |(_, _, what): &Place| what.contains(" at once; name another path");
            assert!(mistakes.iter().all(clash), "refused: {shown}\nconverted:\n{converted}");
        }
        // This machine lacks a user or group that the converted file does not name.
        (Ok(_), Err(_)) => {}
    }
}

type Outcome = Result<Configuration, (Vec<Place>, String)>;

fn read(file: &str, text: &str) -> Outcome {
    let outcome = Configuration::read(file, text);
    match &outcome {
        Ok(config) => {
            for path in config.paths() {
                let path = path.as_os_str().as_encoded_bytes();
                assert!(path == b"-" || (path.starts_with(b"/") && !path.contains(&0)), "{path:?} is not a path");
            }
            let (bits, pool, clients) = config.figures();
            let sound =
                (1..=8).contains(&bits) && (16_384..=67_108_864).contains(&pool) && (1..=100_000).contains(&clients);
            assert!(sound, "{bits} bits a byte, {pool} bytes, {clients} clients");
        }
        Err((mistakes, shown)) => {
            assert!(!mistakes.is_empty(), "refused without a reason: {shown}");
            assert!(shown.len() <= MOST_SHOWN, "{} bytes of mistakes", shown.len());
            assert!(mistakes.is_sorted_by_key(|(line, column, _)| (*line, *column)), "out of order: {mistakes:?}");
            let lines: Vec<&str> = text.split('\n').collect();
            for (line, column, what) in mistakes {
                let length = lines.get(line.wrapping_sub(1)).map(|line| line.chars().count());
                assert!(
                    length.is_some_and(|length| (1..=length + 1).contains(column)),
                    "{line}:{column} is not in the file: {what}"
                );
            }
        }
    }
    outcome
}

/// Checks that an empty line before a file moves its mistakes down by one line and changes nothing else.
fn moved(read: &Outcome, moved: Outcome) {
    match (read, moved) {
        (Ok(config), Ok(moved)) => assert_eq!(*config, moved, "an empty line changes what the file says"),
        (Err((expected, _)), Err((seen, _))) => {
            let expected: Vec<_> = expected.iter().map(|(line, column, _)| (line + 1, *column)).collect();
            let seen: Vec<_> = seen.into_iter().map(|(line, column, _)| (line, column)).collect();
            assert_eq!(seen, expected, "places after one more empty line");
        }
        (read, moved) => panic!("an empty line changes {read:?} to {moved:?}"),
    }
}
