//! The part of the status about entropy that is fetched from EGD servers of other machines.

use serde::{Deserialize, Serialize};

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
}

impl EgdClientStatus {
    /// Whether a server is at hand.
    pub fn is_connected(&self) -> bool {
        self.state == EgdClientState::Connected
    }
}
