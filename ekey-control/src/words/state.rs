//! What a key's state is called, and what a person should do about it.

use ekey_link::revive::Rung;
use ekey_proto::session::State;
use ekey_proto::wire::Badness;

use crate::status::KeyStatus;
use crate::status::health::PutAside;
use crate::status::state::KeyState;

impl KeyState {
    /// Names the state in a few words, in lower case.
    pub fn short_word(self) -> &'static str {
        match self {
            Self::Session(State::Opening) => "opening",
            Self::Session(State::AwaitSerial) => "waiting for its serial number",
            Self::Session(State::SerialOk) => "known, not keyed yet",
            Self::Session(State::Keying) => "agreeing a session key",
            Self::Session(State::Running) => "running",
            Self::Session(State::LongTermKeyBad) => "wrong long-term key",
            Self::Session(State::SerialUnknown) => "no long-term key",
            Self::Session(State::WrongSerial) => "another key than expected",
            Self::Session(State::SelfStopped(_)) => "stopped itself",
            Self::Session(State::Silent) => "silent",
            Self::Recovering { rung } => match rung {
                Rung::Pause => "dead, replug needed",
                _ => "being revived",
            },
            Self::Gone => "gone",
        }
    }

    /// Says what a person should do now. `None` if the daemon needs nothing but seconds.
    ///
    /// `serial` is the key's serial number as far as it is known, `path` its node.
    pub fn next_step(self, serial: Option<&str>, path: &str) -> Option<String> {
        let serial = serial.unwrap_or("SERIAL");
        let rekey = format!("run `ekey-ctl rekey {serial}` (or `ekey-setkey`) with the master key from the card");
        match self {
            Self::Session(State::Opening)
            | Self::Session(State::AwaitSerial)
            | Self::Session(State::SerialOk)
            | Self::Session(State::Keying)
            | Self::Session(State::Running) => None,
            Self::Session(State::SerialUnknown) => {
                Some(format!("no long-term key for this serial in the keyring: {rekey}"))
            }
            Self::Session(State::LongTermKeyBad) => {
                Some(format!("the keyring's long-term key is not the one in this key: {rekey}"))
            }
            Self::Session(State::WrongSerial) => Some(format!(
                "plug the expected key in at {path}, or correct the serial number that is asked for there"
            )),
            Self::Session(State::SelfStopped(badness)) => Some(remedy(badness).to_owned()),
            Self::Session(State::Silent) => Some(
                "the daemon revives it by itself; if it is still silent in a minute, unplug it and plug it in again"
                    .to_owned(),
            ),
            Self::Recovering { rung: Rung::Pause } => {
                Some("nothing revived it: unplug the key and plug it in again".to_owned())
            }
            Self::Recovering { .. } => Some(
                "wait a minute, the daemon is reviving it; if that fails, unplug it and plug it in again".to_owned(),
            ),
            Self::Gone => Some("plug the key in again; the daemon finds it by itself".to_owned()),
        }
    }
}

impl KeyStatus {
    /// Says what a person should do about this key: [`KeyState::next_step`], unless it failed a health test, its session may be a
    /// recording, or it cannot be opened.
    pub fn next_step(&self) -> Option<String> {
        if let Some(aside) = self.put_aside().filter(|_| self.state.is_okay()) {
            return Some(aside.next_step());
        }
        if self.doubtful && self.state.is_running() {
            return Some(
                "its session could be a recording until the kernel's generator is ready, so its bytes are only mixed into the \
                 kernel, without credit; a state directory that lasts (state-dir) avoids that"
                    .to_owned(),
            );
        }
        let hindrance = self.hindrance().map(str::to_owned);
        hindrance.or_else(|| self.state.next_step(self.known_serial(), &self.path))
    }
}

impl PutAside {
    /// Says what a person should do.
    pub fn next_step(&self) -> String {
        format!(
            "its output failed the {} test and is not handed out; after {} good blocks ({} so far) it is used again, and if it \
             then fails again, replace the key",
            self.test, self.good_blocks_due, self.good_blocks
        )
    }
}

/// Says why a key has stopped itself.
pub(super) fn reason(badness: Badness) -> &'static str {
    match badness.code() {
        '0' => "no fault",
        '1' => "the left generator is not random any more",
        '2' => "the right generator is not random any more",
        '3' => "the two generators run alike",
        '4' => "the left generator leans strongly to one side",
        '5' => "the right generator leans strongly to one side",
        '7' => "too cold",
        '8' => "too hot",
        '9' => "too many blocks failed the FIPS 140-2 tests",
        'A' => "its supply voltage is too low",
        'B' => "its supply voltage is too high",
        _ => "a reason that is not known",
    }
}

fn remedy(badness: Badness) -> &'static str {
    match badness.code() {
        '7' => "too cold: bring the key to room temperature, unplug it and plug it in again",
        '8' => "too hot: unplug the key, let it cool, and plug it in where air reaches it",
        'A' | 'B' => "its supply voltage is wrong: plug the key into another port or a powered hub",
        '1'..='5' | '9' => "unplug the key, wait ten seconds, plug it in again; if it stops again, replace it",
        _ => "unplug the key, wait ten seconds and plug it in again; only that clears it",
    }
}
