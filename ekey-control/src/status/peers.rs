//! Who takes the most, in the status.

use serde::{Deserialize, Serialize};

/// The most peers that the status lists.
pub const TOP_PEERS: usize = 10;

/// A peer of the EGD listeners, and what it took since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// `uid 1000` on a unix socket, an IPv4 address, or an IPv6 network of 64 bits.
    pub peer: String,
    /// The outlet that it takes from: `egd`, or `expand`.
    pub outlet: String,
    /// Bytes handed out to all its clients together.
    pub bytes: u64,
    /// Its clients that are connected now.
    pub clients: u64,
}
