//! What is not well, and what a person should do about it: the last words of every screen.

use ekey_proto::session::State;

use super::state::reason;
use crate::status::state::KeyState;
use crate::status::{EgdStatus, KernelEra, KernelStatus, KeyStatus, Status};

/// A sentence or two for each thing that is not well, the most urgent first; empty if all is well.
pub fn advice(status: &Status) -> Vec<String> {
    let mut advice = Vec::new();
    if status.keys.is_empty() && status.egd_client.is_none() {
        advice.push(
            "No key is attached: plug an Entropy Key in, or give its node under [keys] paths in ekeyd.toml.".to_owned(),
        );
    }
    if let Some(problem) = &status.keyring.problem {
        let problem = problem.replace('\n', ", ");
        advice.push(format!("Keyring {problem}; then run `ekey-ctl keyring reload`."));
    }
    let (soon, stuck): (Vec<_>, Vec<_>) =
        status.keys.iter().filter(|key| !key.is_serving()).partition(|key| key.is_starting());
    // Which long-term keys there are is not known while the keyring cannot be read.
    let is_unknown =
        |key: &KeyStatus| key.state == KeyState::from(State::SerialUnknown) && status.keyring.problem.is_some();
    advice.extend(stuck.into_iter().filter(|key| !is_unknown(key)).map(of_key));
    advice.extend(status.keys.iter().flat_map(warnings));
    if let Some(client) = status.egd_client.as_ref().filter(|client| !client.is_connected()) {
        let waits = || "No EGD server has answered yet: wait a few seconds.".to_owned();
        advice.push(client.last_error.as_ref().map_or_else(waits, |error| format!("{error}.")));
    }
    if let Some(problem) = status.kernel.as_ref().and_then(|kernel| kernel.problem.as_ref()) {
        advice.push(format!("Kernel: {problem}"));
    }
    if status.kernel.as_ref().is_some_and(misses_credit) {
        advice.push(
            "Kernel: what is mixed in seeds it only with the right to credit it (CAP_SYS_ADMIN): run ekeyd as the service in \
             udev/ does, or as root."
                .to_owned(),
        );
    }
    if let Some(problem) = status.combine.as_ref().and_then(|combine| combine.problem.as_ref()) {
        advice.push(format!("EGD: {problem}."));
    }
    if let Some(problem) = status.expand.as_ref().and_then(|expand| expand.problem.as_ref()) {
        advice.push(format!("Expand: {problem}."));
    }
    advice.extend(status.egd.iter().filter_map(of_listener));
    if let Some(file) = &status.file {
        let full = file.max_bytes.is_some_and(|most| file.written_bytes >= most);
        if let (Some(stopped), false) = (&file.stopped, full) {
            advice.push(format!("File {stopped}, then restart the daemon."));
        }
    }
    let wrong = status.discrepancies();
    if let Some(first) = wrong.first() {
        advice.push(format!(
            "The books do not add up ({first}): report this with the output of `ekey-ctl status --json`."
        ));
    }
    advice.extend(soon.into_iter().map(of_key));
    advice
}

/// Whether the kernel still counts bits, and is given none. Since 2022 it counts them only until it is seeded (random(4)).
fn misses_credit(kernel: &KernelStatus) -> bool {
    let counts = !kernel.ready || kernel.era == Some(KernelEra::Before2022);
    kernel.problem.is_none() && !kernel.privileged && counts
}

/// What is the matter with a TLS listener's certificate, and what to do; none if nothing is, or it is no TLS listener.
pub fn of_listener(listener: &EgdStatus) -> Option<String> {
    let tls = listener.tls.as_ref()?;
    let name = &listener.listen;
    match &tls.problem {
        Some(problem) => Some(format!("{name}: {problem}.")),
        None if tls.ends_soon() => Some(format!(
            "{name}: the certificate {} ends on {}; have a new one made and send SIGHUP (systemctl reload ekeyd).",
            tls.certificate, tls.valid_until
        )),
        None => None,
    }
}

/// What a key that is used says of itself and that is not well.
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

/// What is the matter with a key that is not running, and the next step.
fn of_key(key: &KeyStatus) -> String {
    let name = name(key);
    let next = key.next_step().unwrap_or_else(|| "wait a few seconds".to_owned());
    let word = key.state.short_word();
    // Some steps say the state themselves.
    let says_it = next.starts_with(word) || key.put_aside().is_some() || key.hindrance().is_some();
    let word = if says_it { String::new() } else { format!(" {word}:") };
    format!("Key {}{name}:{word} {next}.", key.number)
}

/// The state in a few words, with its reason where there is one.
pub fn words(state: KeyState) -> String {
    match state {
        KeyState::Session(State::SelfStopped(badness)) => format!("{}: {}", state.short_word(), reason(badness)),
        KeyState::Recovering { rung } => format!("silent, {}", rung.words()),
        _ => state.short_word().to_owned(),
    }
}
