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
    /// Bytes of keys that were wiped: the key has gone, or they are suspect.
    #[serde(default)]
    pub wiped_bytes: u64,
    /// Combined bytes that were wiped because the daemon forgot everything.
    #[serde(default)]
    pub ready_wiped_bytes: u64,
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
    /// Bytes of entropy handed out.
    pub served_bytes: u64,
    /// Bytes of answers that are not entropy, such as a count of the bytes that follow.
    #[serde(default)]
    pub other_bytes: u64,
    /// Bytes of both that the clients have been sent.
    #[serde(default)]
    pub sent_bytes: u64,
    /// Bytes of both that wait for a client to read.
    #[serde(default)]
    pub waiting_bytes: u64,
    /// Bytes of both that were wiped because the client had gone.
    #[serde(default)]
    pub dropped_bytes: u64,
    /// Clients that wait for bytes now.
    pub waiting: u64,
    /// Connections refused because there were too many, in all or of one peer.
    pub refused: u64,
    /// Connections refused because their network, user or group is not allowed.
    #[serde(default)]
    pub denied: u64,
    /// Clients disconnected because they sent and took nothing for too long.
    #[serde(default)]
    pub dropped_idle: u64,
    /// Of a TLS listener: its certificate, and what came of the handshakes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<EgdTlsStatus>,
}

/// A TLS listener's certificate and handshakes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgdTlsStatus {
    /// The file of the certificate that new clients are shown.
    pub certificate: String,
    /// When that ends (RFC 3339).
    pub valid_until: String,
    /// Whole days until then; below 0 if it has ended.
    pub days_left: i64,
    /// What is wrong with the files, and what to do.
    pub problem: Option<String>,
    /// Handshakes that led to a client.
    pub handshakes: u64,
    /// Handshakes that are going on.
    pub half_open: u64,
    /// Connections closed because of TLS: no certificate, a wrong one, no TLS, or a certificate that expired or whose authority was
    /// replaced during the session.
    pub refused: u64,
    /// Connections that ended or were closed before they had finished the handshake.
    pub unfinished: u64,
    /// Who was refused last, and why.
    pub last_refusal: Option<String>,
}

impl EgdTlsStatus {
    /// Days before the end from which on it is time for a new certificate.
    pub const RENEW_DAYS: i64 = 14;

    /// Whether it is time for a new certificate.
    pub fn ends_soon(&self) -> bool {
        self.days_left < Self::RENEW_DAYS
    }
}
