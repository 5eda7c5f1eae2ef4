//! What state a key is in.

use std::borrow::Cow;

use ekey_link::revive::Rung;
use ekey_proto::session::State;
use ekey_proto::wire::Badness;
use serde::{Deserialize, Serialize};

use super::by_name;

/// The state of one key: that of its session, or one of the two without a session.
///
/// In JSON an object with the name in kebab case: `{"name":"self-stopped","badness":"8"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Json", try_from = "Json")]
pub enum KeyState {
    /// The link is open, or is being opened.
    Session(State),
    /// The daemon is trying to revive the key.
    Recovering {
        /// What it is trying now.
        rung: Rung,
    },
    /// The key has been unplugged, or its node is gone.
    Gone,
}

impl From<State> for KeyState {
    fn from(state: State) -> Self {
        Self::Session(state)
    }
}

impl KeyState {
    /// One state of each name. The badness and the rung are examples.
    pub const EACH: [Self; 12] = [
        Self::Session(State::Opening),
        Self::Session(State::AwaitSerial),
        Self::Session(State::SerialOk),
        Self::Session(State::Keying),
        Self::Session(State::Running),
        Self::Session(State::LongTermKeyBad),
        Self::Session(State::SerialUnknown),
        Self::Session(State::WrongSerial),
        Self::Session(State::SelfStopped(Badness::UNSTATED)),
        Self::Session(State::Silent),
        Self::Recovering { rung: Rung::Soft },
        Self::Gone,
    ];

    /// Returns its name in JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Session(State::Opening) => "opening",
            Self::Session(State::AwaitSerial) => "await-serial",
            Self::Session(State::SerialOk) => "serial-ok",
            Self::Session(State::Keying) => "keying",
            Self::Session(State::Running) => "running",
            Self::Session(State::LongTermKeyBad) => "long-term-key-bad",
            Self::Session(State::SerialUnknown) => "serial-unknown",
            Self::Session(State::WrongSerial) => "wrong-serial",
            Self::Session(State::SelfStopped(_)) => "self-stopped",
            Self::Session(State::Silent) => "silent",
            Self::Recovering { .. } => "recovering",
            Self::Gone => "gone",
        }
    }

    /// Returns the column OK of the original's list: `false` once something is wrong. Unlike in the original, a silent key is not OK.
    pub fn is_okay(self) -> bool {
        use State::{AwaitSerial, Keying, Opening, Running, SerialOk};
        matches!(self, Self::Session(Opening | AwaitSerial | SerialOk | Keying | Running))
    }

    /// Whether entropy comes and verifies.
    pub fn is_running(self) -> bool {
        self == Self::Session(State::Running)
    }
}

/// A state in the JSON.
#[derive(Serialize, Deserialize)]
struct Json {
    name: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    badness: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rung: Option<Step>,
}

#[derive(Serialize, Deserialize)]
struct Step(#[serde(with = "by_name::rung")] Rung);

impl From<KeyState> for Json {
    fn from(state: KeyState) -> Self {
        let (badness, rung) = match state {
            KeyState::Session(State::SelfStopped(badness)) => (Some(badness.code()), None),
            KeyState::Recovering { rung } => (None, Some(Step(rung))),
            _ => (None, None),
        };
        Self { name: state.name().into(), badness, rung }
    }
}

impl TryFrom<Json> for KeyState {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        let Json { name, badness, rung } = json;
        let found = Self::EACH.into_iter().find(|state| state.name() == name);
        match found.ok_or_else(|| format!("unknown state `{name}`"))? {
            Self::Session(State::SelfStopped(_)) => {
                let code = badness.and_then(|code| u8::try_from(code).ok());
                let code = code.ok_or_else(|| format!("state `{name}` without a badness"))?;
                Ok(Self::Session(State::SelfStopped(Badness::from_code(code))))
            }
            Self::Recovering { .. } => match rung {
                Some(Step(rung)) => Ok(Self::Recovering { rung }),
                None => Err(format!("state `{name}` without a rung")),
            },
            state => Ok(state),
        }
    }
}
