//! Checks what a person would check if a key does not work: the machine, the daemon, and each plugged-in key.
//!
//! Opens nothing that could disturb a key, and changes nothing. Works without a daemon, without a key, and for any user; it says
//! "not known" where only root may look.

mod confined;
mod daemon;
mod files;
mod keys;
mod machine;
mod programs;
mod system;
mod user;

use ekey_control::{ClientError, Status};
use ekey_link::find;
use serde::Serialize;

pub(crate) use machine::Machine;

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Its subject, in a word.
    pub(crate) topic: &'static str,
    /// The USB port of the key that it concerns.
    pub(crate) port: Option<String>,
    pub(crate) verdict: Verdict,
    /// What it found.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) advice: Option<String>,
}

/// Whether there is something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Ok,
    /// Not ideal, or not known, but nothing to do.
    Note,
    Todo,
}

impl Check {
    fn ok(topic: &'static str, text: impl Into<String>) -> Self {
        Self { topic, port: None, verdict: Verdict::Ok, text: text.into(), advice: None }
    }

    fn note(topic: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, ..Self::ok(topic, text) }
    }

    fn todo(topic: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Todo, advice: Some(advice.into()), ..Self::ok(topic, text) }
    }

    /// Makes a check whose text has the advice.
    fn problem(topic: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Todo, ..Self::ok(topic, text) }
    }
}

/// Runs all checks; `status` is the daemon's answer.
pub(crate) fn examine(machine: &Machine, status: &Result<Status, ClientError>) -> Vec<Check> {
    let running = status.as_ref().ok();
    let pid = running.map(|status| status.pid);
    let keys = find::keys_below(machine.root());
    let user = user::daemon_user(machine, pid);
    let mut checks = daemon::checks(machine, status, user.as_ref());
    checks.push(files::configuration(machine, pid));
    checks.push(files::keyring(machine, running, user.as_ref()));
    checks.push(system::quirk(machine));
    checks.push(programs::modem_manager(machine, &keys));
    checks.push(programs::others(machine, &keys, pid));
    checks.extend(keys::checks(machine, &keys, running, user.as_ref()));
    checks
}
