//! What is wrong, and what a person should do about it: the last words of every screen.

use ekey_proto::session::State;

use super::parts::{self, Part};
use super::state::reason;
use crate::status::state::KeyState;
use crate::status::{KeyStatus, Status};

/// Returns a sentence or two for each problem, the most urgent first; nothing if all is well.
pub fn advice(status: &Status) -> Vec<String> {
    let mut advice = Vec::new();
    if status.keys.is_empty() && status.egd_client.is_none() {
        advice.push(
            "No key is attached: plug an Entropy Key in, or give its node under [keys] paths in ekeyd.toml.".to_owned(),
        );
    }
    let (keyring, others): (Vec<_>, Vec<_>) = status.parts().into_iter().partition(|part| part.name == parts::KEYRING);
    advice.extend(keyring.into_iter().flat_map(urgent));
    let (soon, stuck): (Vec<_>, Vec<_>) =
        status.keys.iter().filter(|key| !key.is_serving()).partition(|key| key.is_starting());
    // While the keyring cannot be read, its long-term keys are unknown.
    let is_unknown =
        |key: &KeyStatus| key.state == KeyState::from(State::SerialUnknown) && status.keyring.problem.is_some();
    advice.extend(stuck.into_iter().filter(|key| !is_unknown(key)).map(of_key));
    advice.extend(status.keys.iter().flat_map(warnings));
    advice.extend(others.into_iter().flat_map(urgent));
    advice.extend(soon.into_iter().map(of_key));
    advice
}

/// Returns what a person should do about a part.
fn urgent(part: Part) -> impl Iterator<Item = String> {
    part.problems.into_iter().filter(|problem| problem.needs_a_person).map(|problem| problem.text)
}

/// Returns the warnings of a key that is used: what it says of itself that is not well.
fn warnings(key: &KeyStatus) -> impl Iterator<Item = String> {
    let name = name(key);
    let warnings = key.health.iter().filter(|_| key.is_serving()).flat_map(|health| &health.warnings);
    warnings.map(move |warning| {
        format!(
            "Key {}{name}: {warning}; it may stop itself soon: see that it is neither hot nor cold, and have another at hand.",
            key.number
        )
    })
}

fn name(key: &KeyStatus) -> String {
    key.known_serial().map_or_else(String::new, |serial| format!(" ({serial})"))
}

/// Says what is wrong with a key that is not running, and the next step.
fn of_key(key: &KeyStatus) -> String {
    let name = name(key);
    let next = key.next_step().unwrap_or_else(|| "wait a few seconds".to_owned());
    let word = key.state.short_word();
    // Some steps name the state themselves.
    let says_it = next.starts_with(word) || key.put_aside().is_some() || key.hindrance().is_some();
    let word = if says_it { String::new() } else { format!(" {word}:") };
    format!("Key {}{name}:{word} {next}.", key.number)
}

/// Returns the state in a few words, with its reason if it has one.
pub fn words(state: KeyState) -> String {
    match state {
        KeyState::Session(State::SelfStopped(badness)) => format!("{}: {}", state.short_word(), reason(badness)),
        KeyState::Recovering { rung } => format!("silent, {}", rung.words()),
        _ => state.short_word().to_owned(),
    }
}
