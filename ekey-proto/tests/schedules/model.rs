//! A model of both ends: the key of each frame, and the key that the host has.

use ekey_proto::Nonce;
use ekey_proto::session::Counters;

/// The key of a frame's MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The zero key.
    Zero,
    /// The session key with this number.
    Session(usize),
    /// A key that the other end lacks.
    Mistaken,
    /// Depends on how the key read damaged bytes.
    Unknown,
}

/// What the model knows about a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    pub(crate) channel: Channel,
    pub(crate) kind: u8,
    /// The session that begins after it.
    pub(crate) begins: Option<usize>,
}

/// After this many frames in a row that do not verify, the host checks none before the next `S!`.
const MOST_FAILURES: u64 = 8;

/// Both ends, as the model sees them.
pub(crate) struct Model {
    /// The key's current key.
    key: Channel,
    /// The host's current key, `None` while it waits for an `S!`.
    host: Option<Channel>,
    /// Frames in a row that did not verify at the host.
    failures: u64,
    /// The nonce of each session, if known.
    nonces: Vec<Option<Nonce>>,
    /// The nonce of the host's last `K`, and `true` if the host had the right long-term key.
    asked: Option<(Nonce, bool)>,
    pub(crate) predicted: u64,
    pub(crate) agreed: u64,
    pub(crate) mistaken: u64,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            key: Channel::Zero,
            host: None,
            failures: 0,
            nonces: Vec::new(),
            asked: None,
            predicted: 0,
            agreed: 0,
            mistaken: 0,
        }
    }

    /// Notes a frame of the key. If it begins a session, `nonce` is the one that the key received, if known.
    pub(crate) fn made(&mut self, frame: &[u8], nonce: Option<Nonce>) -> Made {
        let kind = frame[2];
        if kind == b'S' {
            self.key = Channel::Zero;
        }
        let channel = self.key;
        let begins = (kind == b'K').then(|| {
            self.nonces.push(nonce);
            self.key = Channel::Session(self.nonces.len() - 1);
            self.nonces.len() - 1
        });
        Made { channel, kind, begins }
    }

    /// Notes that the key lost power.
    pub(crate) fn key_lost_power(&mut self) {
        self.key = Channel::Zero;
    }

    /// Notes that the host opened the link again.
    pub(crate) fn host_began(&mut self) {
        (self.host, self.failures, self.asked) = (None, 0, None);
    }

    /// Notes what the host counted for a frame, whole or damaged.
    pub(crate) fn counted(&mut self, before: &Counters, after: &Counters) {
        let verified = after.verified + after.malformed > before.verified + before.malformed;
        let began_anew = verified || after.bad_long_term_keys > before.bad_long_term_keys;
        self.failures = if began_anew { 0 } else { self.failures + after.mac_failures - before.mac_failures };
        if self.failures >= MOST_FAILURES {
            (self.host, self.failures) = (None, 0);
        }
    }

    /// Notes that the host asked for a session.
    pub(crate) fn host_asked(&mut self, nonce: Nonce, long_term_key_is_right: bool) {
        self.asked = Some((nonce, long_term_key_is_right));
    }

    /// Checks what the host did with a whole frame against the prediction.
    pub(crate) fn heard(&mut self, made: Made, before: &Counters, after: &Counters) {
        let verified = after.verified - before.verified == 1;
        let failed = after.mac_failures - before.mac_failures == 1;
        let leftover = after.leftover - before.leftover == 1;
        let expected = match self.host {
            _ if made.kind == b'S' => (true, false, false),
            None => (false, false, true),
            Some(Channel::Unknown) => (verified, failed, leftover),
            Some(host) => (host == made.channel, host != made.channel, false),
        };
        let (host, kind) = (self.host, char::from(made.kind));
        assert_eq!(
            (verified, failed, leftover),
            expected,
            "a {kind} frame under {:?} at a host with {host:?}",
            made.channel
        );
        self.predicted += u64::from(host != Some(Channel::Unknown));
        if made.kind == b'S' {
            self.host = Some(Channel::Zero);
        }
        if after.rekeys > before.rekeys {
            let session = made.begins.expect("only a K! begins a session");
            let (nonce, long_term_key_is_right) = self.asked.expect("only an answer to a K begins a session");
            self.host = Some(match self.nonces[session] {
                _ if !long_term_key_is_right => Channel::Mistaken,
                None => Channel::Unknown,
                Some(got) if got == nonce => {
                    self.agreed += 1;
                    Channel::Session(session)
                }
                Some(_) => {
                    self.mistaken += 1;
                    Channel::Mistaken
                }
            });
        }
    }
}
