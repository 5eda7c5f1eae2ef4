//! What must be true of the two ends, seen from above: which key each frame was made with, and which one the host has.

use ekey_proto::Nonce;
use ekey_proto::session::Counters;

/// A key that frames are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The zero key.
    Zero,
    /// The session key of this number.
    Session(usize),
    /// One that the other end has not.
    Mistaken,
    /// It depends on how damaged bytes were read.
    Unknown,
}

/// What the model knows of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    pub(crate) channel: Channel,
    pub(crate) kind: u8,
    /// The session that begins behind it.
    pub(crate) begins: Option<usize>,
}

/// The model.
pub(crate) struct Model {
    /// What the key makes frames with.
    key: Channel,
    /// What the host checks them with, once the key has said who it is.
    host: Option<Channel>,
    /// The nonce that each session was made with, if it is known.
    nonces: Vec<Option<Nonce>>,
    /// The nonce of the host's last `K`, and whether it had the right long-term key then.
    asked: Option<(Nonce, bool)>,
    pub(crate) foretold: u64,
    pub(crate) agreed: u64,
    pub(crate) mistaken: u64,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self { key: Channel::Zero, host: None, nonces: Vec::new(), asked: None, foretold: 0, agreed: 0, mistaken: 0 }
    }

    /// The key has made a frame; if it begins a session, `nonce` is what the key has got, if that is known.
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

    /// The key has lost its power.
    pub(crate) fn key_lost_power(&mut self) {
        self.key = Channel::Zero;
    }

    /// The host begins anew.
    pub(crate) fn host_began(&mut self) {
        (self.host, self.asked) = (None, None);
    }

    /// The host has asked for a session.
    pub(crate) fn host_asked(&mut self, nonce: Nonce, long_term_key_is_right: bool) {
        self.asked = Some((nonce, long_term_key_is_right));
    }

    /// Holds what the host has made of a whole frame against what it must make of it.
    pub(crate) fn heard(&mut self, made: Made, before: &Counters, after: &Counters) {
        let verified = after.verified - before.verified == 1;
        let failed = after.mac_failures - before.mac_failures == 1;
        let leftover = after.leftover - before.leftover == 1;
        let due = match self.host {
            _ if made.kind == b'S' => (true, false, false),
            None => (false, false, true),
            Some(Channel::Unknown) => (verified, failed, leftover),
            Some(host) => (host == made.channel, host != made.channel, false),
        };
        let (host, kind) = (self.host, char::from(made.kind));
        assert_eq!(
            (verified, failed, leftover),
            due,
            "a {kind} frame under {:?} at a host with {host:?}",
            made.channel
        );
        self.foretold += u64::from(host != Some(Channel::Unknown));
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
