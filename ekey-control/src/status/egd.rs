//! What EGD clients get, in the status.

use serde::{Deserialize, Serialize};

/// Combining keys for EGD clients: what went in, and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CombineStatus {
    /// Keys that run now; two are needed.
    pub running_keys: u64,
    /// Bytes of keys that were combined.
    pub in_bytes: u64,
    /// Bytes that were made of them.
    pub out_bytes: u64,
    /// Bytes of keys that wait to be combined.
    pub held_bytes: u64,
    /// Combined bytes that wait for clients.
    pub ready_bytes: u64,
    /// Why clients get nothing, and what to do.
    pub problem: Option<String>,
}

/// One EGD listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgdStatus {
    /// As configured: `unix:PATH`, `tcp:ADDR:PORT`, `tls:ADDR:PORT`.
    pub listen: String,
    /// Connected now.
    pub clients: u64,
    /// Requests answered.
    pub requests: u64,
    /// Bytes handed out.
    pub served_bytes: u64,
    /// Clients that wait for bytes now.
    pub waiting: u64,
    /// Connections refused because there were too many, in all or of one peer.
    pub refused: u64,
    /// Connections refused because their network, user or group is not allowed.
    #[serde(default)]
    pub denied: u64,
    /// Clients let go because they said and took nothing for too long.
    #[serde(default)]
    pub dropped_idle: u64,
}
