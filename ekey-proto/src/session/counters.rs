//! Counts what a session sees and does.

use core::ops::AddAssign;

/// Counts since the session began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames with a right MAC and a well-formed packet.
    pub verified: u64,
    /// Blocks of entropy passed to the caller.
    pub entropy_blocks: u64,
    /// Frames discarded because their MAC was wrong.
    pub mac_failures: u64,
    /// Entropy frames discarded because their sequence number was not new.
    pub replayed: u64,
    /// Sequence numbers that never arrived.
    pub lost: u64,
    /// Frames with a right MAC whose content breaks the protocol.
    pub malformed: u64,
    /// Verified packets out of place: of an unknown type, unasked, or entropy without a session key or from a
    /// key that stopped itself.
    pub unexpected: u64,
    /// `W>` frames: the key did not understand something.
    pub unknown_input: u64,
    /// Frames ignored because they came before the first `S!`.
    pub leftover: u64,
    /// `^C` sent.
    pub resets: u64,
    /// `K` sent.
    pub nonces: u64,
    /// `K!` accepted.
    pub rekeys: u64,
    /// Times the long-term key proved wrong.
    pub bad_long_term_keys: u64,
}

impl AddAssign for Counters {
    /// Adds the counts of another session.
    fn add_assign(&mut self, other: Self) {
        let Self {
            verified,
            entropy_blocks,
            mac_failures,
            replayed,
            lost,
            malformed,
            unexpected,
            unknown_input,
            leftover,
            resets,
            nonces,
            rekeys,
            bad_long_term_keys,
        } = other;
        self.verified += verified;
        self.entropy_blocks += entropy_blocks;
        self.mac_failures += mac_failures;
        self.replayed += replayed;
        self.lost += lost;
        self.malformed += malformed;
        self.unexpected += unexpected;
        self.unknown_input += unknown_input;
        self.leftover += leftover;
        self.resets += resets;
        self.nonces += nonces;
        self.rekeys += rekeys;
        self.bad_long_term_keys += bad_long_term_keys;
    }
}
