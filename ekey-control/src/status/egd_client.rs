//! The part of the status about entropy that is fetched from EGD servers of other machines.

use serde::{Deserialize, Serialize};

use super::books::FetchedBooks;
use super::health::{HealthStatus, PutAside};

/// The state of the connection to the configured servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EgdClientState {
    /// Resolving a name, connecting, or seeing whether an EGD server answers.
    #[default]
    Connecting,
    /// A server is at hand, whether or not anything is being asked of it now.
    Connected,
    /// No server is at hand; the next attempt comes after a pause.
    Resting,
}

impl EgdClientState {
    /// As in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Resting => "resting",
        }
    }
}

/// Entropy fetched from EGD servers. All counts start at the daemon's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgdClientStatus {
    /// As configured, in the order of preference: `tcp:HOST:PORT`, `unix:PATH`.
    pub servers: Vec<String>,
    /// The state.
    pub state: EgdClientState,
    /// For how many seconds a server has been at hand, or none.
    pub since_s: u64,
    /// The server that the state is about, one of `servers`; while resting the one that failed last.
    pub server: String,
    /// Where it was found: an IP address and port, or a path. `None` without a connection.
    pub address: Option<String>,
    /// Whether each byte is proven to come from a key. EGD carries no proof, so this is `false`.
    pub proven: bool,
    /// Requests for entropy that were sent.
    pub requests: u64,
    /// Bytes received in answer.
    pub received_bytes: u64,
    /// Connections after the first one, to whichever server.
    pub reconnects: u64,
    /// Attempts to connect that failed, and connections that broke.
    pub failures: u64,
    /// The last failure: which server, what happened, what to do.
    pub last_error: Option<String>,
    /// Whether the kernel may count the bytes of `server` as entropy. An older daemon does not say.
    #[serde(default)]
    pub credited: Option<bool>,
    /// What became of the bytes. An older daemon keeps no such books.
    #[serde(default)]
    pub books: Option<FetchedBooks>,
    /// The tests of each of `servers`. An older daemon tests none.
    #[serde(default)]
    pub tests: Vec<ServerTests>,
}

/// The tests of what one EGD server gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerTests {
    /// One of [`EgdClientStatus::servers`].
    pub server: String,
    /// Whether its first block has passed. None of its bytes is used before.
    pub passed: bool,
    /// The tests of its bytes.
    pub health: HealthStatus,
}

impl EgdClientStatus {
    /// Whether a server is at hand.
    pub fn is_connected(&self) -> bool {
        self.state == EgdClientState::Connected
    }

    /// Whether a server is at hand whose bytes are used: they have passed the health tests.
    pub fn is_delivering(&self) -> bool {
        let is_used = |tests: &ServerTests| tests.passed && tests.put_aside().is_none();
        self.is_connected() && self.current().is_none_or(is_used)
    }

    /// Returns the tests of the server that the state is about.
    pub fn current(&self) -> Option<&ServerTests> {
        self.tests.iter().find(|tests| tests.server == self.server)
    }

    /// Returns each server whose bytes failed a health test and are not used, with the failure.
    pub fn retired(&self) -> impl Iterator<Item = (&str, &PutAside)> {
        self.tests.iter().filter_map(|tests| Some((tests.server.as_str(), tests.put_aside()?)))
    }
}

impl ServerTests {
    /// Returns the failed test for which the daemon uses nothing of this server, if there is one.
    pub fn put_aside(&self) -> Option<&PutAside> {
        self.health.put_aside.as_ref()
    }
}
