//! The host's session under any sequence of frames (signed, damaged, repeated, of other sessions), bytes, time and
//! nonces.
//!
//! A block comes out only if it was sent under a session key, only once and in the order of sending. At most one `^C`
//! goes out per second. Nothing spins. After anything at all, a well-behaved key is running again within a bounded
//! time.

use std::time::Duration;

use ekey_proto::session::{Event, Output, State, Timings};
use ekey_proto::{Command, Instant, LongTermKey, Nonce, Serial, Session};

use crate::choices::Choices;
use crate::signer::{FrameBytes, Signer};

const SECOND: Duration = Duration::from_secs(1);
/// The longest pause of a session is 300 s, and a new session takes a few more.
const BACK_IN: Duration = Duration::from_secs(400);
/// Enough to reach any state, and few enough to be fast.
const MOST_STEPS: usize = 80;
const WELL: &str = "S08052:23751:23792:23584:07112:20876:08063:24150:0";

/// Runs any sequence.
pub fn session(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut run = Run::new(&mut choices);
    for _ in 0..MOST_STEPS {
        if choices.is_empty() {
            break;
        }
        run.step(&mut choices);
    }
    run.comes_back();
}

struct Run {
    session: Session,
    expected: Option<Serial>,
    key: Signer,
    now: Duration,
    /// How many blocks have been sent, and the last one that came out.
    sent: u32,
    delivered: Option<u32>,
    /// Blocks that were sent under the zero key.
    worthless: Vec<u32>,
    frames: Vec<FrameBytes>,
    nonce: Option<Nonce>,
    nonces: u32,
    awaits_nonce: bool,
    last_reset: Option<Duration>,
    resets: u32,
    pieces: usize,
}

impl Run {
    fn new(choices: &mut Choices<'_>) -> Self {
        let (serial, other) = serials();
        let expected = [None, Some(serial), Some(other)][choices.below(3)];
        let session = Session::new(Instant::after_start(Duration::ZERO), expected, Timings::default());
        let mut run = Self {
            session,
            expected,
            key: Signer::new(serial),
            now: Duration::ZERO,
            sent: 0,
            delivered: None,
            worthless: Vec::new(),
            frames: Vec::new(),
            nonce: None,
            nonces: 0,
            awaits_nonce: false,
            last_reset: None,
            resets: 0,
            pieces: 1 + choices.below(200),
        };
        run.drain();
        run
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let frame = match choices.below(22) {
            0 => self.key.reset(if choices.below(8) == 7 { serials().1 } else { serials().0 }),
            1 => self.rekey(12),
            2 => self.rekey(choices.word() & 0xfff),
            3 => self.entropy(self.key.next & 0xfff),
            4 => self.entropy(choices.word() & 0xfff),
            5 => self.entropy(4095),
            6 => {
                let text = String::from_utf8_lossy(choices.some(50)).into_owned();
                self.key.text(*b"I>", &text)
            }
            7 => self.key.text(*b"I>", WELL),
            8 => self.key.text(*b"I>", &WELL.replace(":0", [":1", ":?", ":9", ":A"][choices.below(4)])),
            9 => self.key.text(*b"k>", ""),
            10 => self.key.text(*[b"W>", b"l>", b"M>", b"B>", b"x!"][choices.below(5)], "said"),
            11 => {
                let mut content = [b' '; 52];
                content.iter_mut().zip(choices.some(52)).for_each(|(slot, byte)| *slot = *byte);
                self.key.sign(content)
            }
            12 => return self.hear(choices.some(200)),
            13 => match self.frames.get(usize::from(choices.byte())) {
                Some(frame) => *frame,
                None => return,
            },
            14 => {
                let frame = self.entropy(self.key.next & 0xfff);
                return self.hear(&frame[..choices.below(64)]);
            }
            15 => {
                let mut frame = self.entropy(self.key.next & 0xfff);
                frame[2 + choices.below(60)] ^= 1 << choices.below(8);
                frame
            }
            16 => return self.pass(Duration::from_millis(choices.byte().into())),
            17 => return self.pass(Duration::from_millis(50 * u64::from(choices.word() >> 4))),
            18 => return self.answer(Some(right())),
            19 => {
                return self.answer(
                    [None, Some(LongTermKey::from_bytes([1; 32]))][choices.below(2)]
                        .as_ref()
                        .map(LongTermKey::duplicate),
                );
            }
            20 => return self.session.handle_new_keyring(self.instant()),
            _ => {
                self.session.start_over(self.instant());
                return self.drain();
            }
        };
        if self.frames.len() < 256 {
            self.frames.push(frame);
        }
        self.hear(&frame);
    }

    fn rekey(&mut self, nonce_len: u16) -> FrameBytes {
        let nonce = self.nonce.unwrap_or_else(|| Nonce::new(0, [0; 8]));
        self.key.rekey(&right(), &nonce, nonce_len)
    }

    fn entropy(&mut self, sequence: u16) -> FrameBytes {
        if !self.key.in_session {
            self.worthless.push(self.sent);
        }
        self.sent += 1;
        self.key.entropy(sequence, &block(self.sent - 1))
    }

    fn instant(&self) -> Instant {
        Instant::after_start(self.now)
    }

    fn hear(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.pieces) {
            let mut rest = piece;
            loop {
                let (now, mut delivered) = (self.instant(), Vec::new());
                let taken = self.session.handle_input(now, rest, |block| delivered.push(block));
                rest = &rest[taken..];
                delivered.iter().for_each(|block| self.note_entropy(block.as_bytes()));
                self.drain();
                if rest.is_empty() {
                    break;
                }
                assert!(taken > 0, "input is left over and not taken");
            }
        }
    }

    fn answer(&mut self, long_term_key: Option<LongTermKey>) {
        self.nonces += 1;
        self.session.handle_nonce(self.instant(), Nonce::new(self.nonces, [9; 8]), long_term_key);
        self.awaits_nonce = false;
        self.drain();
    }

    /// Advances the clock, and stops at each deadline on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let deadline = self.deadline().max(self.now);
            if deadline > end {
                break;
            }
            self.now = deadline;
            self.session.handle_timeout(self.instant());
            self.drain();
            assert!(self.deadline() > self.now, "the deadline after a deadline has passed already");
        }
        self.now = end;
    }

    fn deadline(&mut self) -> Duration {
        let Output::WaitUntil(deadline) = self.session.poll_output() else { panic!("outputs are left") };
        deadline.since_start()
    }

    /// Takes the session's outputs and checks them.
    fn drain(&mut self) {
        // The session belongs to the first key that states its serial number.
        self.expected = self.expected.or(self.session.serial());
        for count in 0.. {
            assert!(count <= 8, "more than eight outputs of one step");
            match self.session.poll_output() {
                Output::Write(Command::Reset) => self.note_reset(),
                Output::Write(Command::RekeySession(nonce)) => self.nonce = Some(nonce),
                Output::Write(other) => panic!("{other:?} has no place in a session"),
                Output::NeedNonce(serial) => {
                    assert_eq!(
                        self.session.serial(),
                        Some(serial),
                        "a long-term key of another serial number is asked for"
                    );
                    assert!(
                        self.expected.is_none_or(|expected| expected == serial),
                        "a session with another key than expected"
                    );
                    self.awaits_nonce = true;
                }
                Output::Event(Event::State(State::SerialOk | State::Keying | State::Running)) => {
                    assert_eq!(
                        self.session.serial(),
                        self.expected,
                        "all is well with another key than the expected one"
                    );
                }
                Output::Event(_) => {}
                Output::WaitUntil(_) => break,
            }
        }
        let (counters, framer) = (self.session.counters(), self.session.framer_counters());
        let known = counters.verified + counters.mac_failures + counters.leftover;
        assert!(known <= framer.frames && framer.frames <= known + counters.malformed, "{counters:?} {framer:?}");
    }

    fn note_reset(&mut self) {
        let last = self.last_reset.replace(self.now);
        assert!(last.is_none_or(|last| self.now >= last + SECOND), "^C at {last:?} and at {:?}", self.now);
        self.resets += 1;
    }

    fn note_entropy(&mut self, bytes: &[u8; 32]) {
        let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        assert_eq!(*bytes, block(number), "a block came out that never went in");
        assert!(
            number < self.sent && !self.worthless.contains(&number),
            "block {number} was not sent under a session key"
        );
        assert!(
            self.delivered < Some(number),
            "block {number} comes out after {:?}: twice, or out of order",
            self.delivered
        );
        self.delivered = Some(number);
    }

    /// Connects a well-behaved key to a host with its long-term key, and waits for entropy.
    fn comes_back(&mut self) {
        let serial = self.expected.unwrap_or(serials().0);
        if self.key.serial != serial {
            self.key.become_another(serial);
        }
        self.session.handle_new_keyring(self.instant());
        let (since, delivered) = (self.now, self.delivered);
        let (mut resets, mut asked) = (self.resets, self.nonce);
        while self.delivered == delivered {
            assert!(self.now <= since + BACK_IN, "{BACK_IN:?} later still {:?}", self.session.state());
            if std::mem::replace(&mut resets, self.resets) != self.resets {
                let hello = self.key.reset(serial);
                self.hear(&hello);
            }
            if self.awaits_nonce {
                self.answer(Some(right()));
            }
            if self.nonce != asked {
                asked = self.nonce;
                let reply = self.rekey(12);
                self.hear(&reply);
            }
            let spoken = if self.key.in_session && self.key.next <= 4095 {
                self.entropy(self.key.next)
            } else {
                self.key.text(*b"k>", "")
            };
            self.hear(&spoken);
            let well = self.key.text(*b"I>", WELL);
            self.hear(&well);
            self.pass(SECOND);
        }
    }
}

fn serials() -> (Serial, Serial) {
    (Serial::from_bytes([7; 12]), Serial::from_bytes([8; 12]))
}

fn right() -> LongTermKey {
    LongTermKey::from_bytes([0x4c; 32])
}

/// Returns block `number`.
fn block(number: u32) -> [u8; 32] {
    let mut block = [0xb1; 32];
    block[..4].copy_from_slice(&number.to_le_bytes());
    block
}
