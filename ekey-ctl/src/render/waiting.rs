//! The last words of `wait`.

use ekey_control::glance::NOT_RANDOM;
use ekey_control::{Status, advice, amount};

use crate::render::paint::{Line, Tone};

/// Reports success after `seconds`.
pub(crate) fn ready(status: &Status, bytes: u64, seconds: f64) -> Vec<Line> {
    let text = format!(
        "Ready after {}: {} running, {} verified meanwhile.",
        amount::waited(seconds),
        amount::many(status.running(), "key"),
        amount::bytes(bytes)
    );
    let mut lines = vec![Line::new(Tone::Good, &text)];
    if status.not_random {
        lines.push(Line::bad(NOT_RANDOM));
    }
    lines
}

/// Reports a timeout: each key's state, and what to do. `wanted`: the bytes of `--bytes`.
pub(crate) fn given_up(status: &Status, bytes: u64, wanted: Option<u64>, seconds: f64) -> Vec<Line> {
    let of = wanted.map_or_else(String::new, |wanted| format!(" of {}", amount::bytes(wanted)));
    let mut lines = vec![Line::bad(&format!(
        "Gave up after {}: {}{of} verified meanwhile.",
        amount::waited(seconds),
        amount::bytes(bytes)
    ))];
    for key in status.keys.iter().filter(|key| key.is_serving()) {
        lines.push(Line::plain(&format!("Key {} is running, at {}.", key.number, amount::rate(key.rate_bytes_per_s))));
    }
    lines.extend(advice::advice(status).iter().map(|text| Line::new(Tone::Warn, text)));
    if status.not_random {
        lines.push(Line::bad(NOT_RANDOM));
    }
    lines
}

#[cfg(test)]
mod tests {
    use ekey_proto::session::State;

    use super::*;
    use crate::render::sample::{all_states, key, status};

    #[test]
    fn giving_up_names_each_keys_state_and_next_step() {
        for state in all_states() {
            let lines = given_up(&status(vec![key(state)]), 0, Some(1024), 5.0);
            assert_eq!(lines[0].text, "Gave up after 5.0 s: 0 B of 1.0 kB verified meanwhile.");
            assert!(lines[1].text.starts_with("Key 1 "), "{state:?} gave {lines:?}");
            let step = state
                .next_step(Some(crate::render::sample::SERIAL), "/dev/entropykey/NwBvBlg3OTBJORFD")
                .unwrap_or_default();
            assert!(lines[1].text.contains(&step), "{state:?} gave {lines:?}");
        }
    }

    #[test]
    fn the_last_line_says_that_data_is_not_random() {
        let mut status = status(vec![key(State::Running)]);
        status.not_random = true;
        for lines in [ready(&status, 1, 0.0), given_up(&status, 1, None, 0.0)] {
            assert!(lines.last().is_some_and(|line| line.text.contains("NOT RANDOM")), "{lines:?}");
        }
    }
}
