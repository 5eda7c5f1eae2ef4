//! What a person would look at when a key does not work, looked at: machine, daemon, and each key that is plugged in.
//!
//! Nothing is opened that could disturb a key, and nothing is changed. It works without a daemon, without a key, and for
//! any user; what only root may see is said to be not known.

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

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What it is about, in a word.
    pub(crate) topic: &'static str,
    /// The USB port of the key that it is about, if it is about one.
    pub(crate) port: Option<String>,
    pub(crate) verdict: Verdict,
    /// What was seen.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) advice: Option<String>,
}

/// Whether there is something to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Ok,
    /// Not as good as it could be, or not known, but nothing has to be done.
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

    /// For what says itself what to do.
    fn problem(topic: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Todo, ..Self::ok(topic, text) }
    }
}

/// Looks at everything; `status` is what the daemon answered when it was asked.
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
