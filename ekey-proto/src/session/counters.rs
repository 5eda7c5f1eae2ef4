//! What a session has seen and done.

use core::ops::AddAssign;

/// Counts since the session began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames whose MAC was right and whose packet could be read.
    pub verified: u64,
    /// Blocks of entropy handed out.
    pub entropy_blocks: u64,
    /// Frames dropped since their MAC was wrong.
    pub mac_failures: u64,
    /// Entropy frames dropped since their sequence number was not new.
    pub replayed: u64,
    /// Sequence numbers that never came.
    pub lost: u64,
    /// Frames whose MAC was right but whose content breaks the protocol.
    pub malformed: u64,
    /// Verified packets that had no place in the conversation: of an unknown type, unasked, or entropy
    /// without a session key or from a key that has stopped itself.
    pub unexpected: u64,
    /// `W>` frames: the key did not understand something.
    pub unknown_input: u64,
    /// Frames left over from before, ignored until the key has said who it is.
    pub leftover: u64,
    /// `^C` sent.
    pub resets: u64,
    /// `K` sent.
    pub nonces: u64,
    /// `K!` taken.
    pub rekeys: u64,
    /// Times that the long-term key proved wrong.
    pub bad_long_term_keys: u64,
}

impl AddAssign for Counters {
    /// Adds up the counts of several sessions.
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
