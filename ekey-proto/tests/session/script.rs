//! A key that a test scripts frame by frame, and a host session, on a virtual clock.

use std::time::Duration;

use ekey_proto::crypt::{LongTermKey, SessionCrypt, SessionKey};
use ekey_proto::session::{Event, Output, Session, State, Timings};
use ekey_proto::wire::{DeviceEntropy, FRAME_LEN, Frame, PacketKind, SubCode};
use ekey_proto::{Command, Instant, Nonce, Serial};

pub(crate) const LONG_TERM_KEY: [u8; 32] = [0x4c; 32];
pub(crate) const DEVICE_ENTROPY: [u8; 32] = [0xde; 32];

/// One output of the session, without deadlines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Did {
    Write(Command),
    NeedNonce,
    State(State),
    Entropy([u8; 32]),
    Info,
    Message,
}

/// A host session and its key.
pub(crate) struct Bench {
    pub(crate) session: Session,
    pub(crate) key: Key,
    pub(crate) now: Duration,
}

/// The key's end: writes frames under its current session key.
pub(crate) struct Key {
    pub(crate) serial: Serial,
    crypt: SessionCrypt,
}

pub(crate) fn serial() -> Serial {
    "NwBvBlg3OTBJORFD".parse().expect("a serial")
}

pub(crate) fn nonce() -> Nonce {
    Nonce::new(7, [9; 8])
}

impl Key {
    pub(crate) fn new(serial: Serial) -> Self {
        Self { serial, crypt: SessionCrypt::new(&serial, &SessionKey::ZERO) }
    }

    pub(crate) fn frame(&self, content: [u8; 52]) -> [u8; FRAME_LEN] {
        Frame::new(content, self.crypt.mac(&content)).to_bytes()
    }

    pub(crate) fn text(&self, kind: [u8; 2], text: &str) -> [u8; FRAME_LEN] {
        self.frame(PacketKind(kind).text_content(text))
    }

    /// Resets the key. Returns its `S!` under the zero key.
    pub(crate) fn reset(&mut self) -> [u8; FRAME_LEN] {
        self.crypt = SessionCrypt::new(&self.serial, &SessionKey::ZERO);
        self.frame(PacketKind::serial_content(&self.serial))
    }

    /// Answers a `K` with this nonce length, and switches to the new session key.
    pub(crate) fn rekey(&mut self, long_term_key: [u8; 32], nonce_len: u16) -> [u8; FRAME_LEN] {
        let reply = self.frame(PacketKind(*b"K!").binary_content(SubCode::new(nonce_len), &DEVICE_ENTROPY));
        let device = DeviceEntropy { nonce_len, bytes: DEVICE_ENTROPY };
        let key = LongTermKey::from_bytes(long_term_key).session_key(&self.serial, &device, nonce().as_bytes());
        self.crypt = SessionCrypt::new(&self.serial, &key);
        reply
    }

    pub(crate) fn entropy(&self, sequence: u16, fill: u8) -> [u8; FRAME_LEN] {
        let sequence = SubCode::new(sequence);
        let masked = self.crypt.mask(sequence, &[fill; 32]);
        self.frame(PacketKind(*b"E!").binary_content(sequence, &masked))
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::expecting(None)
    }

    pub(crate) fn expecting(expected: Option<Serial>) -> Self {
        let session = Session::new(Instant::after_start(Duration::ZERO), expected, Timings::default());
        Self { session, key: Key::new(serial()), now: Duration::ZERO }
    }

    /// Makes a session whose key has just stated its serial number.
    pub(crate) fn identified() -> Self {
        let mut bench = Self::new();
        bench.drain();
        let hello = bench.key.reset();
        bench.hear(&hello);
        bench
    }

    /// Makes a session that reached `Running` with the first entropy frame.
    pub(crate) fn running() -> Self {
        let mut bench = Self::identified();
        bench.give_nonce(Some(LONG_TERM_KEY));
        let reply = bench.key.rekey(LONG_TERM_KEY, 12);
        assert_eq!(bench.hear(&reply), []);
        let first = bench.key.entropy(0, 0);
        assert_eq!(bench.hear(&first), [Did::Entropy([0; 32]), Did::State(State::Running)]);
        // Past the limit of one session key a second.
        assert_eq!(bench.pass(Duration::from_secs(1)), []);
        let alive = bench.key.text(*b"I>", "T03000");
        assert_eq!(bench.hear(&alive), [Did::Info]);
        bench
    }

    /// Makes a session whose long-term key has just proved wrong.
    pub(crate) fn with_a_bad_key() -> Self {
        let mut bench = Self::identified();
        bench.give_nonce(Some([1; 32]));
        let reply = bench.key.rekey(LONG_TERM_KEY, 12);
        bench.hear(&reply);
        bench.pass(Duration::from_secs(1));
        let first = bench.key.entropy(0, 1);
        bench.hear(&first.repeat(3));
        assert_eq!(bench.session.state(), State::LongTermKeyBad);
        bench
    }

    pub(crate) fn instant(&self) -> Instant {
        Instant::after_start(self.now)
    }

    /// Passes in bytes. Returns all that the session did.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Vec<Did> {
        let mut rest = bytes;
        let mut all = self.drain();
        while !rest.is_empty() {
            let now = self.instant();
            let taken = self.session.handle_input(now, rest, |block| all.push(Did::Entropy(*block.as_bytes())));
            rest = &rest[taken..];
            all.extend(self.drain());
        }
        all
    }

    pub(crate) fn give_nonce(&mut self, long_term_key: Option<[u8; 32]>) -> Vec<Did> {
        self.session.handle_nonce(self.instant(), nonce(), long_term_key.map(LongTermKey::from_bytes));
        self.drain()
    }

    /// Lets time pass, from one deadline to the next. Returns all that the session did.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Did> {
        let end = self.now + time;
        let mut all = Vec::new();
        loop {
            let deadline = self.deadline().since_start().max(self.now);
            if deadline > end {
                self.now = end;
                return all;
            }
            self.now = deadline;
            self.session.handle_timeout(self.instant());
            let did = self.drain();
            assert!(!did.is_empty() || self.deadline().since_start() > self.now, "the session spins");
            all.extend(did);
        }
    }

    pub(crate) fn drain(&mut self) -> Vec<Did> {
        let mut all = Vec::new();
        loop {
            all.push(match self.session.poll_output() {
                Output::Write(command) => Did::Write(command),
                Output::NeedNonce(_) => Did::NeedNonce,
                Output::Event(Event::State(state)) => Did::State(state),
                Output::Event(Event::Info(_)) => Did::Info,
                Output::Event(Event::Message(_)) => Did::Message,
                Output::WaitUntil(_) => return all,
            });
        }
    }

    fn deadline(&mut self) -> Instant {
        let Output::WaitUntil(deadline) = self.session.poll_output() else { panic!("outputs are left") };
        deadline
    }
}
