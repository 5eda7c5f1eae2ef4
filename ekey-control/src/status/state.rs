//! What state a key is in, in our words and the original's, and what to do about it.

use serde::{Deserialize, Serialize};

/// Where the daemon is with one key.
///
/// In JSON an object with the name in kebab case: `{"name":"self-stopped","badness":"8"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum KeyState {
    /// The node is being opened.
    Opening,
    /// A reset was sent; the serial number has not come yet.
    AwaitSerial,
    /// The serial number is known and so is its long-term key.
    SerialOk,
    /// A session key is being agreed.
    Keying,
    /// Entropy comes and verifies.
    Running,
    /// What the key sends after a rekey does not verify: the long-term key in the keyring is not the key's.
    LongTermKeyBad,
    /// The keyring has no long-term key for this serial number.
    SerialUnknown,
    /// Another key than the one that was asked for at this path.
    WrongSerial,
    /// The key has found itself unfit and gives nothing until it is without power once.
    SelfStopped {
        /// The key's own character for the reason: see [`Badness`].
        badness: char,
    },
    /// The node is open, and nothing that verifies comes.
    Silent,
    /// The daemon is trying to revive the key.
    Recovering {
        /// What it is trying now.
        rung: Rung,
    },
    /// The key has been unplugged, or its node is gone.
    Gone,
}

/// One step of the ladder by which a silent key is revived, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// `^C`, the key's own reset.
    Soft,
    /// Close the node and open it again.
    Reopen,
    /// Raw USB instead of the tty, or the other way round.
    OtherTransport,
    /// A reset of the USB device.
    UsbReset,
    /// Deauthorise the device and authorise it again.
    Authorized,
    /// Power of the hub's port off and on.
    PortPower,
    /// Everything was tried; after a pause it starts over.
    Pause,
}

impl Rung {
    /// What the daemon is doing, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Soft => "soft reset",
            Self::Reopen => "opening it again",
            Self::OtherTransport => "trying the other transport",
            Self::UsbReset => "USB reset",
            Self::Authorized => "re-authorising it",
            Self::PortPower => "switching its port off and on",
            Self::Pause => "replug needed",
        }
    }
}

impl KeyState {
    /// The original's word, as measured on version 1.1.5.
    ///
    /// For a key without a long-term key, and for a key that is not the one asked for, the original says `Long-Term-Key is bad`;
    /// its word `Serial unknown` exists but no key could be brought to show it. It has no word for a silent key and stays with `Unknown`.
    pub fn original_word(&self) -> &'static str {
        match self {
            Self::Opening | Self::AwaitSerial | Self::Silent | Self::Recovering { .. } => "Unknown",
            Self::SerialOk | Self::Keying => "Serial ok",
            Self::Running => "Running OK",
            Self::LongTermKeyBad | Self::SerialUnknown | Self::WrongSerial => "Long-Term-Key is bad",
            Self::SelfStopped { .. } => "Key has self-stopped",
            Self::Gone => "Key closed. (Vanished?)",
        }
    }

    /// The column OK of the original's list: `false` once something is wrong. A silent key is not OK here, though the original says so.
    pub fn is_okay(&self) -> bool {
        matches!(self, Self::Opening | Self::AwaitSerial | Self::SerialOk | Self::Keying | Self::Running)
    }

    /// Whether entropy comes and verifies.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running)
    }

    /// A few words for people, in lower case.
    pub fn short_word(&self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::AwaitSerial => "waiting for its serial number",
            Self::SerialOk => "known, not keyed yet",
            Self::Keying => "agreeing a session key",
            Self::Running => "running",
            Self::LongTermKeyBad => "wrong long-term key",
            Self::SerialUnknown => "no long-term key",
            Self::WrongSerial => "another key than expected",
            Self::SelfStopped { .. } => "stopped itself",
            Self::Silent => "silent",
            Self::Recovering { rung } => match rung {
                Rung::Pause => "dead, replug needed",
                _ => "being revived",
            },
            Self::Gone => "gone",
        }
    }

    /// What a person should do now; `None` where the daemon gets on by itself within seconds.
    ///
    /// `serial` is the key's serial number as far as it is known, `path` its node.
    pub fn next_step(&self, serial: Option<&str>, path: &str) -> Option<String> {
        let serial = serial.unwrap_or("SERIAL");
        let rekey = format!("run `ekey-ctl rekey {serial}` (or `ekey-setkey`) with the master key from the card");
        match self {
            Self::Opening | Self::AwaitSerial | Self::SerialOk | Self::Keying | Self::Running => None,
            Self::SerialUnknown => Some(format!("no long-term key for this serial in the keyring: {rekey}")),
            Self::LongTermKeyBad => Some(format!("the keyring's long-term key is not the one in this key: {rekey}")),
            Self::WrongSerial => Some(format!(
                "plug the expected key in at {path}, or correct the serial number that is asked for there"
            )),
            Self::SelfStopped { badness } => Some(Badness::from(*badness).remedy().to_owned()),
            Self::Silent => Some(
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

/// Why a key is unfit, as the last character of its `S` information block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Badness {
    /// `0`
    None,
    /// `1`
    LeftNotRandom,
    /// `2`
    RightNotRandom,
    /// `3`
    Correlated,
    /// `4`
    LeftBiased,
    /// `5`
    RightBiased,
    /// `7`
    TooCold,
    /// `8`
    TooHot,
    /// `9`
    FipsFailures,
    /// `A`
    VoltageLow,
    /// `B`
    VoltageHigh,
    /// A character that no known key sends.
    Other(char),
}

impl From<char> for Badness {
    fn from(character: char) -> Self {
        match character {
            '0' => Self::None,
            '1' => Self::LeftNotRandom,
            '2' => Self::RightNotRandom,
            '3' => Self::Correlated,
            '4' => Self::LeftBiased,
            '5' => Self::RightBiased,
            '7' => Self::TooCold,
            '8' => Self::TooHot,
            '9' => Self::FipsFailures,
            'A' => Self::VoltageLow,
            'B' => Self::VoltageHigh,
            other => Self::Other(other),
        }
    }
}

impl Badness {
    /// What it means, in our words.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "no fault",
            Self::LeftNotRandom => "the left generator is not random any more",
            Self::RightNotRandom => "the right generator is not random any more",
            Self::Correlated => "the two generators run alike",
            Self::LeftBiased => "the left generator leans strongly to one side",
            Self::RightBiased => "the right generator leans strongly to one side",
            Self::TooCold => "too cold",
            Self::TooHot => "too hot",
            Self::FipsFailures => "too many blocks failed the FIPS 140-2 tests",
            Self::VoltageLow => "its supply voltage is too low",
            Self::VoltageHigh => "its supply voltage is too high",
            Self::Other(_) => "a reason that is not known",
        }
    }

    /// What the original prints as `KeyEnglishBadness`; a program may compare it.
    pub fn english(self) -> &'static str {
        match self {
            Self::None => "No failure",
            Self::LeftNotRandom => "Left generator is no longer random",
            Self::RightNotRandom => "Right generator is no longer random",
            Self::Correlated => "Generators have become correlated",
            Self::LeftBiased => "Left generator is strongly biassed",
            Self::RightBiased => "Right generator is strongly biassed",
            Self::TooCold => "Temperature detected below threshold",
            Self::TooHot => "Temperature detected above threshold",
            Self::FipsFailures => "FIPS 140-2 tests exceeded threshold for failed blocks",
            Self::VoltageLow => "Voltage too low",
            Self::VoltageHigh => "Voltage too high",
            Self::Other(_) => "Unknown",
        }
    }

    /// What the original prints as `KeyShortBadness`.
    pub fn short(self) -> &'static str {
        match self {
            Self::None => "efm_ok",
            Self::LeftNotRandom => "efm_raw_left_bad",
            Self::RightNotRandom => "efm_raw_right_bad",
            Self::Correlated => "efm_raw_xor_bad",
            Self::LeftBiased => "efm_debias_left_bad",
            Self::RightBiased => "efm_debias_right_bad",
            Self::TooCold => "efm_temp_too_low",
            Self::TooHot => "efm_temp_too_high",
            Self::FipsFailures => "efm_fips1402_threshold_exceeded",
            Self::VoltageLow => "efm_volt_too_low",
            Self::VoltageHigh => "efm_volt_too_high",
            Self::Other(_) => "efm_unknown",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::TooCold => "too cold: bring the key to room temperature, unplug it and plug it in again",
            Self::TooHot => "too hot: unplug the key, let it cool, and plug it in where air reaches it",
            Self::VoltageLow | Self::VoltageHigh => {
                "its supply voltage is wrong: plug the key into another port or a powered hub"
            }
            Self::None | Self::Other(_) => "unplug the key, wait ten seconds and plug it in again; only that clears it",
            _ => "unplug the key, wait ten seconds, plug it in again; if it stops again, replace it",
        }
    }
}
