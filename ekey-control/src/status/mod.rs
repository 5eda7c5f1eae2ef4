//! The whole status of the daemon. The command `Status` answers with it as one line of JSON.
//!
//! A later version may add fields, and a reader skips fields that it does not know. A version that changes or removes a field raises
//! [`FORMAT`]. All counts start when the daemon starts or when the key is added, whichever is later.

mod balance;
pub mod books;
mod by_name;
mod clones;
mod confinement;
mod egd;
mod egd_client;
mod expand;
pub mod health;
pub mod history;
mod outputs;
mod peers;
mod sensors;
pub mod state;

use ekey_link::Transport;
use ekey_link::revive::Rung;
use ekey_proto::session::State;
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

pub use self::balance::Discrepancy;
pub use self::clones::{CloneStatus, ForgetReason};
pub use self::confinement::{ConfinementStatus, HeldCapability};
pub use self::egd::{CombineStatus, EgdStatus, EgdTlsStatus};
pub use self::egd_client::{EgdClientState, EgdClientStatus, ServerTests};
pub use self::expand::ExpandStatus;
pub use self::outputs::{Account, FileStatus, KernelEra, KernelStatus, OutletStatus, PoolStatus};
pub use self::peers::{PeerStatus, TOP_PEERS};
pub use self::sensors::Sensors;

use crate::printable::printable_json;
use books::{Books, KeyBooks};
use health::{HealthStatus, PutAside};
use state::KeyState;

/// The version of this format.
pub const FORMAT: u32 = 1;

/// Everything the daemon knows about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`FORMAT`].
    pub format: u32,
    /// Of the daemon, such as `0.1.0`.
    pub version: String,
    /// The host name of the daemon's machine. An older daemon does not report it.
    #[serde(default)]
    pub host: String,
    /// When this was so, in seconds since 1970, by the machine's clock. An older daemon does not report it.
    #[serde(default)]
    pub as_of_unix_s: u64,
    /// Of the daemon.
    pub pid: u32,
    /// Seconds since the daemon started.
    pub uptime_s: u64,
    /// `true` if any key is a software key whose bytes anyone can predict.
    pub not_random: bool,
    /// Where the long-term keys come from.
    pub keyring: KeyringStatus,
    /// In the order in which they were added.
    pub keys: Vec<KeyStatus>,
    /// Keys that are plugged in and not driven.
    #[serde(default)]
    pub idle_keys: Vec<IdleKey>,
    /// What became of every byte, as far as no other field says it. An older daemon has no books.
    #[serde(default)]
    pub books: Option<Books>,
    /// The pool.
    pub pool: PoolStatus,
    /// Every outlet in the order of service; some have more to say below. An older daemon does not list them.
    #[serde(default)]
    pub outlets: Vec<OutletStatus>,
    /// `None` if the kernel is not fed.
    pub kernel: Option<KernelStatus>,
    /// `None` if no file is written.
    pub file: Option<FileStatus>,
    /// One for each EGD listener.
    pub egd: Vec<EgdStatus>,
    /// The peers that took the most bytes of EGD listeners since the start, the first took the most; at most [`TOP_PEERS`].
    #[serde(default)]
    pub peers: Vec<PeerStatus>,
    /// `None` if keys are not combined for EGD clients.
    #[serde(default)]
    pub combine: Option<CombineStatus>,
    /// `None` if nothing is expanded.
    #[serde(default)]
    pub expand: Option<ExpandStatus>,
    /// Bytes that EGD clients offered and that were mixed into the kernel, without credit.
    #[serde(default)]
    pub offered_bytes: u64,
    /// `None` if nothing is fetched from other machines.
    #[serde(default)]
    pub egd_client: Option<EgdClientStatus>,
    /// The path of the control socket.
    pub control: String,
    /// What makes each session new. An older daemon does not report it.
    #[serde(default)]
    pub nonces: Option<NonceStatus>,
    /// What protects clones of this machine from giving the same bytes. An older daemon does not report it.
    #[serde(default)]
    pub clones: Option<CloneStatus>,
    /// The sandbox. An older daemon does not report it.
    #[serde(default)]
    pub confinement: Option<ConfinementStatus>,
}

/// The keyring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyringStatus {
    /// The file.
    pub path: String,
    /// How many long-term keys it holds.
    pub keys: u32,
    /// Why it could not be read, and what to do.
    pub problem: Option<String>,
}

/// The counter that makes each session with a key new, even if all else of the machine repeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceStatus {
    /// Its file in the state directory.
    pub file: String,
    /// Why it cannot be used, and what to do.
    pub problem: Option<String>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyStatus {
    /// From 1, never used twice by one daemon.
    pub number: u32,
    /// The node.
    pub path: String,
    /// How it is reached.
    #[serde(with = "by_name::transport")]
    pub transport: Transport,
    /// The serial number that the key sent, 16 characters.
    pub serial: Option<String>,
    /// The serial number that the command or the configuration expects here.
    pub expected_serial: Option<String>,
    /// Its state.
    pub state: KeyState,
    /// For how many seconds it has been in this state.
    pub since_s: u64,
    /// More about the state, such as the error from opening the node.
    pub detail: Option<String>,
    /// Frames since the key was added.
    pub frames: FrameCounts,
    /// Bytes that were verified and handed on since the key was added.
    pub entropy_bytes: u64,
    /// Verified bytes a second over the last seconds.
    #[serde(serialize_with = "finite")]
    pub rate_bytes_per_s: f64,
    /// Bytes read from the key since it was added.
    pub bytes_read: u64,
    /// Bytes written to the key since it was added.
    pub bytes_written: u64,
    /// The sessions.
    pub connection: ConnectionStatus,
    /// Milliseconds since the last frame that verified.
    pub last_frame_ms: Option<u64>,
    /// What the key says about itself.
    pub sensors: Sensors,
    /// `true` while what the key says about itself (serial number, sensors, why it stopped) came under the public zero key: anyone
    /// could have said it. An older daemon does not report it.
    #[serde(default)]
    pub unverified: bool,
    /// How often a step revived it.
    pub recoveries: u64,
    /// The steps that were tried, and their results.
    #[serde(default)]
    pub revival: Vec<RungStatus>,
    /// What became of its verified bytes.
    #[serde(default)]
    pub books: KeyBooks,
    /// The tests of what it gives; `None` if they are off.
    #[serde(default)]
    pub health: Option<HealthStatus>,
    /// Whether its session may be a recording: it began before the kernel's generator was ready, and no nonce counter shows that it
    /// is new. Its bytes are mixed into the kernel without credit and go nowhere else.
    #[serde(default)]
    pub doubtful: bool,
}

/// The results of one step of reviving a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungStatus {
    /// The step.
    #[serde(with = "by_name::rung")]
    pub rung: Rung,
    /// How often it was tried.
    pub attempts: u64,
    /// How often a frame verified after it and before the next step.
    pub successes: u64,
    /// How often it could not be done.
    pub failures: u64,
    /// Why it could not be done the last time, and what to do.
    pub problem: Option<String>,
}

/// A key that is plugged in and not driven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdleKey {
    /// As USB states it.
    pub serial: Option<String>,
    /// Where it is plugged in: `1-1.2`.
    pub port: String,
    /// Its tty, else its usbfs node.
    pub path: String,
    /// Why it is not driven, and what to do.
    pub why: String,
}

impl KeyStatus {
    /// Returns the serial number that the key sent, else the expected one.
    pub fn known_serial(&self) -> Option<&str> {
        self.serial.as_deref().or(self.expected_serial.as_deref())
    }

    /// Returns the failed test for which the daemon hands out nothing of this key, if there is one.
    pub fn put_aside(&self) -> Option<&PutAside> {
        self.health.as_ref().and_then(|health| health.put_aside.as_ref())
    }

    /// Returns what the key says of itself now. `None` unless it runs and has proven itself: the temperature of a silent key is
    /// not known.
    pub fn sensors_now(&self) -> Option<&Sensors> {
        (self.state.is_running() && !self.unverified).then_some(&self.sensors)
    }

    /// Whether it runs and its entropy is used.
    pub fn is_serving(&self) -> bool {
        self.state.is_running() && self.put_aside().is_none() && !self.doubtful
    }

    /// Returns why its node cannot be opened and what to do, if that is known. It says more than the state.
    pub fn hindrance(&self) -> Option<&str> {
        let may_open = matches!(self.state, KeyState::Session(State::Opening | State::SerialOk) | KeyState::Gone);
        self.detail.as_deref().filter(|_| may_open && self.put_aside().is_none())
    }

    /// Whether it will serve in a few seconds without help.
    pub fn is_starting(&self) -> bool {
        let is_starting = self.state.is_okay() && (!self.state.is_running() || self.doubtful);
        is_starting && self.put_aside().is_none() && self.hindrance().is_none()
    }
}

/// Frames, each counted in one place only (gaps are not frames).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameCounts {
    /// Verified and used.
    pub ok: u64,
    /// Places where the stream was not a frame.
    pub framing_errors: u64,
    /// The MAC did not verify.
    pub mac_failures: u64,
    /// Verified, with a sequence number that was there before.
    pub replayed: u64,
    /// Sequence numbers that were left out.
    pub gaps: u64,
    /// Verified, and its content made no sense.
    pub malformed: u64,
    /// Verified, of a type that is not known.
    pub unknown_types: u64,
}

impl FrameCounts {
    /// Returns the part of the key's frames that did not come whole or at all, from 0 to 1. `None` while that says nothing: a key
    /// that starts loses a few.
    pub fn loss(&self) -> Option<f64> {
        const ENOUGH: u64 = 1000;
        let lost = self.framing_errors.saturating_add(self.mac_failures).saturating_add(self.gaps);
        let all = self.ok.saturating_add(lost);
        (all >= ENOUGH).then(|| lost as f64 / all as f64)
    }

    /// Returns how many frames came whole and were not used.
    pub fn dropped(&self) -> u64 {
        self.mac_failures
            .saturating_add(self.replayed)
            .saturating_add(self.malformed)
            .saturating_add(self.unknown_types)
    }
}

/// The sessions with a key since it was added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// Seconds since the key was added.
    pub seconds: u64,
    /// Frames received.
    pub packets: u64,
    /// Resets sent.
    pub resets: u64,
    /// Nonces sent.
    pub nonces: u64,
    /// Session keys agreed.
    pub rekeys: u64,
}

/// Why a status could not be read.
#[derive(Debug, Error)]
pub enum StatusError {
    /// A later daemon.
    #[error("the daemon's status has format {format}, this program reads up to {FORMAT}: update ekey-ctl")]
    Newer {
        /// What the daemon sent.
        format: u32,
    },
    /// Not a status.
    #[error("the daemon's status cannot be read ({0}): are ekeyd and ekey-ctl of the same version?")]
    Json(#[from] serde_json::Error),
}

/// Reads JSON that states its format, and rejects a later format than `known`, whose fields could mean anything. Makes its texts fit
/// to print.
pub(crate) fn of_format<T: serde::de::DeserializeOwned>(text: &str, known: u32) -> Result<T, StatusError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = serde_json::from_str(text)?;
    if format > known {
        return Err(StatusError::Newer { format });
    }
    let mut value = serde_json::from_str(text)?;
    printable_json(&mut value);
    Ok(serde_json::from_value(value)?)
}

impl Status {
    /// Writes one line of JSON, without a line end.
    pub fn to_json(&self) -> Result<String, StatusError> {
        Ok(serde_json::to_string(self)?)
    }

    /// Reads what [`Status::to_json`] wrote, or what a later daemon of the same format wrote.
    pub fn from_json(text: &str) -> Result<Self, StatusError> {
        of_format(text, FORMAT)
    }

    /// Returns each outlet with the bytes that it took out of the pool since the start.
    pub fn taken(&self) -> impl Iterator<Item = (&str, u64)> {
        self.outlets.iter().map(|outlet| {
            let bytes = match (outlet.name.as_str(), &self.expand) {
                // The account of EGD clients also has the bytes of answers that are not entropy.
                ("egd", _) => self.egd.iter().map(|egd| egd.served_bytes).sum(),
                // Of what is expanded only the seeds come out of the pool.
                ("expand", Some(expand)) => expand.seed_bytes,
                _ => outlet.account.given_bytes,
            };
            (outlet.name.as_str(), bytes)
        })
    }

    /// Returns how many EGD clients wait for bytes, and how many are connected.
    pub fn waiting(&self) -> (u64, u64) {
        let listeners = || self.egd.iter().chain(self.expand.iter().flat_map(|expand| &expand.listeners));
        (listeners().map(|egd| egd.waiting).sum(), listeners().map(|egd| egd.clients).sum())
    }

    /// Returns how many keys run and are used.
    pub fn running(&self) -> usize {
        self.keys.iter().filter(|key| key.is_serving()).count()
    }
}

/// Writes infinity and NaN as 0. JSON has neither; serde_json would write `null`, and a reader expects a number.
fn finite<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(if value.is_finite() { *value } else { 0.0 })
}
