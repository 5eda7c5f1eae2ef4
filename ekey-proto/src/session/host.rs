//! The host's state machine for entropy sessions.
//!
//! Its rules, whatever the key sends (firmware-notes/protocol.md, "The session"):
//! - It sends one `^C` on opening, and at most one a second after that. It ignores what the key sent before its `S!`.
//! - It agrees a session key at once, again after sequence number 4095, and whenever the key asks. If no `K!` comes,
//!   the next `k>` starts another attempt.
//! - It accepts entropy only under a session key (the zero key is public), and only with a sequence number higher
//!   than all before.
//! - It discards a frame that does not verify. After eight in a row it checks none before the next `S!`, and starts over.
//!   Three in a row right after a rekey mean that the two ends have different long-term keys.
//! - It reports anything else as an event and goes on.

use core::time::Duration;

use super::channel::{Channel, ChannelKey};
use super::counters::Counters;
use super::instant::Instant;
use super::output::{Event, Output, Outputs};
use super::retry::{LONGEST_PAUSE, Retry};
use super::state::State;
use super::timings::Timings;
use crate::crypt::{EntropyBlock, FrameError, LongTermKey, Opened, SessionCrypt, verify_serial};
use crate::wire::{Badness, Command, Frame, Framer, FramerCounters, Nonce, Serial};

const RESET_INTERVAL: Duration = Duration::from_secs(1);
const REKEY_TIMEOUT: Duration = Duration::from_secs(3);
const KEY_REQUEST_INTERVAL: Duration = Duration::from_secs(1);
const MAC_FAILURES_TO_START_OVER: u32 = 8;
const MAC_FAILURES_OF_A_BAD_KEY: u32 = 3;

/// One session with one key over one link. Make a new one each time you open the link.
pub struct Session {
    timings: Timings,
    expected: Option<Serial>,
    pub(super) state: State,
    /// The state before [`State::Silent`].
    before_silence: State,
    /// Why the key stopped itself, until its own report clears it.
    pub(super) badness: Option<Badness>,
    framer: Framer,
    pub(super) channel: Option<Channel>,
    pub(super) rekey: Rekey,
    awaits_serial: bool,
    proven: bool,
    mac_failures_in_a_row: u32,
    last_verified: Instant,
    last_reset: Option<Instant>,
    reset_due: Option<Instant>,
    retry: Retry,
    last_key_request: Option<Instant>,
    pub(super) counters: Counters,
    pub(super) outputs: Outputs,
}

pub(super) enum Rekey {
    Idle,
    AwaitNonce,
    Sent { nonce: Nonce, long_term_key: LongTermKey, at: Instant },
}

impl Session {
    /// Begins a session on a freshly opened link. With `expected`, accepts only the key with that serial number.
    #[must_use]
    pub fn new(now: Instant, expected: Option<Serial>, timings: Timings) -> Self {
        let mut session = Self {
            timings,
            expected,
            state: State::Opening,
            before_silence: State::Opening,
            badness: None,
            framer: Framer::new(),
            channel: None,
            rekey: Rekey::Idle,
            awaits_serial: true,
            proven: false,
            mac_failures_in_a_row: 0,
            last_verified: now,
            last_reset: None,
            reset_due: None,
            retry: Retry::new(),
            last_key_request: None,
            counters: Counters::default(),
            outputs: Outputs::default(),
        };
        session.reset(now);
        session.enter(State::AwaitSerial);
        session
    }

    /// Reads bytes of the key up to and including the first frame that causes an output. Returns how many it read.
    /// Drain [`poll_output`](Self::poll_output), then pass the rest: while outputs are left, it reads nothing.
    ///
    /// Passes each block of entropy to `on_entropy` at once, not as an output.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8], mut on_entropy: impl FnMut(EntropyBlock)) -> usize {
        let mut rest = bytes;
        while self.outputs.is_empty() {
            let Some(frame) = self.framer.next_frame(&mut rest) else { break };
            if let Some(block) = self.handle_frame(now, &frame) {
                on_entropy(block);
            }
        }
        bytes.len() - rest.len()
    }

    /// Acts on every deadline that has passed by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.reset_due.is_some_and(|due| due <= now) {
            self.reset(now);
        }
        if matches!(&self.rekey, Rekey::Sent { at, .. } if *at + REKEY_TIMEOUT <= now) {
            self.rekey = Rekey::Idle;
            if self.state == State::LongTermKeyBad {
                self.retry.schedule(now);
            }
        }
        if self.silent_at().is_some_and(|at| at <= now) {
            self.before_silence = self.state;
            self.enter(State::Silent);
            self.rekey = Rekey::Idle;
            self.start_over(now);
        }
        if self.retry.at.is_some_and(|at| at <= now) {
            self.retry.at = None;
            match self.state {
                State::WrongSerial => self.start_over(now),
                _ if !self.awaits_serial => self.ask_for_nonce(now),
                _ => {}
            }
        }
    }

    /// Answers [`Output::NeedNonce`]. Without a long-term key, enters [`State::SerialUnknown`].
    pub fn handle_nonce(&mut self, now: Instant, nonce: Nonce, long_term_key: Option<LongTermKey>) {
        let Rekey::AwaitNonce = self.rekey else { return };
        let Some(long_term_key) = long_term_key else {
            self.rekey = Rekey::Idle;
            self.enter(State::SerialUnknown);
            return;
        };
        self.outputs.push(Output::Write(Command::RekeySession(nonce)));
        self.counters.nonces += 1;
        self.rekey = Rekey::Sent { nonce, long_term_key, at: now };
        if matches!(self.state, State::SerialOk | State::SerialUnknown) {
            self.enter(State::Keying);
        }
    }

    /// Tells the session that the keyring changed. If it lacked the right long-term key, it tries again at once.
    pub fn handle_new_keyring(&mut self, now: Instant) {
        if matches!(self.state, State::SerialUnknown | State::LongTermKeyBad) {
            self.retry = Retry::at_once(now);
        }
    }

    /// Makes the key start over: sends `^C` as soon as the limit of one a second allows.
    pub fn start_over(&mut self, now: Instant) {
        self.awaits_serial = true;
        match self.last_reset.map(|last| last + RESET_INTERVAL) {
            Some(earliest) if earliest > now => self.reset_due = Some(earliest),
            _ => self.reset(now),
        }
    }

    /// Returns the next thing to do. After [`Output::WaitUntil`] nothing follows until the next input or timeout.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop().unwrap_or_else(|| Output::WaitUntil(self.deadline()))
    }

    /// Returns the session's state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Returns the serial number that the key stated, `None` before its first `S!`.
    #[must_use]
    pub fn serial(&self) -> Option<Serial> {
        self.channel.as_ref().map(|channel| channel.serial)
    }

    /// Reports whether frames verify under a session key since the last `S!`. Before that, anyone could have said what
    /// the key says: the zero key is public.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        self.proven
    }

    /// Returns the counts since the session began.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Returns the framer's counts since the session began.
    #[must_use]
    pub const fn framer_counters(&self) -> FramerCounters {
        self.framer.counters()
    }

    /// Returns when a frame last verified; if none has, when the session began.
    #[must_use]
    pub const fn last_verified(&self) -> Instant {
        self.last_verified
    }

    /// Handles one frame. Returns its entropy, if it carries any.
    fn handle_frame(&mut self, now: Instant, frame: &Frame) -> Option<EntropyBlock> {
        if let Some((serial, crypt)) = verify_serial(frame) {
            self.counters.verified += 1;
            self.last_verified = now;
            self.handle_serial(now, *serial.get(), crypt);
            return None;
        }
        let Some(crypt) = self.channel.as_ref().and_then(|channel| channel.crypt.as_ref()) else {
            self.counters.leftover += 1;
            return None;
        };
        match crypt.open(frame) {
            Ok(Opened::Entropy { sequence, block }) => {
                self.counters.verified += 1;
                self.note_verified(now);
                return self.handle_entropy(now, sequence, block);
            }
            Ok(Opened::Packet(packet)) => {
                self.counters.verified += 1;
                self.note_verified(now);
                self.handle_packet(now, packet);
            }
            Err(FrameError::Packet(_)) => {
                self.counters.malformed += 1;
                self.note_verified(now);
            }
            Err(FrameError::Mac) => self.handle_mac_failure(now),
        }
        None
    }

    fn handle_serial(&mut self, now: Instant, serial: Serial, crypt: SessionCrypt) {
        self.channel = Some(Channel { serial, crypt: Some(crypt), key: ChannelKey::Zero });
        self.rekey = Rekey::Idle;
        self.awaits_serial = false;
        self.proven = false;
        self.reset_due = None;
        self.mac_failures_in_a_row = 0;
        if *self.expected.get_or_insert(serial) != serial {
            self.retry.schedule(now);
            return self.enter(State::WrongSerial);
        }
        if let Some(badness) = self.badness {
            return self.enter(State::SelfStopped(badness));
        }
        if self.standing() != State::LongTermKeyBad {
            self.enter(State::SerialOk);
            return self.ask_for_nonce_soon(now);
        }
        self.enter(State::LongTermKeyBad);
        if self.retry.at.is_none() {
            self.ask_for_nonce_soon(now);
        }
    }

    /// Returns the state, or the one before the silence.
    fn standing(&self) -> State {
        if self.state == State::Silent { self.before_silence } else { self.state }
    }

    /// Notes that a frame verified: the key is alive, and both ends have the channel's key.
    fn note_verified(&mut self, now: Instant) {
        self.last_verified = now;
        self.mac_failures_in_a_row = 0;
        let Some(Channel { key, .. }) = &mut self.channel else { return };
        match key {
            ChannelKey::Session { fresh: fresh @ true, .. } => {
                *fresh = false;
                self.proven = true;
                self.retry = Retry::new();
                self.enter(State::Running);
            }
            _ if self.state == State::Silent => self.enter(self.before_silence),
            _ => {}
        }
    }

    fn handle_mac_failure(&mut self, now: Instant) {
        self.counters.mac_failures += 1;
        self.mac_failures_in_a_row += 1;
        let fresh = matches!(&self.channel, Some(Channel { key: ChannelKey::Session { fresh: true, .. }, .. }));
        if fresh && !self.awaits_serial && self.mac_failures_in_a_row >= MAC_FAILURES_OF_A_BAD_KEY {
            self.handle_bad_long_term_key(now);
        } else if self.mac_failures_in_a_row >= MAC_FAILURES_TO_START_OVER {
            self.close_channel();
            self.start_over(now);
        }
    }

    /// Stops checking frames until the next `S!`, so that an attacker who forges them gets no further guess.
    fn close_channel(&mut self) {
        self.mac_failures_in_a_row = 0;
        if let Some(channel) = &mut self.channel {
            channel.crypt = None;
        }
    }

    /// Plans another attempt. The `^C` makes the key speak under the zero key, which shows until then that it is alive.
    fn handle_bad_long_term_key(&mut self, now: Instant) {
        self.counters.bad_long_term_keys += 1;
        self.mac_failures_in_a_row = 0;
        self.enter(State::LongTermKeyBad);
        self.retry.schedule(now);
        self.start_over(now);
    }

    /// Asks for a nonce, at most once a second: a sender that asks more often is broken or not a key.
    pub(super) fn ask_for_nonce_soon(&mut self, now: Instant) {
        match self.last_key_request.map(|last| last + KEY_REQUEST_INTERVAL) {
            Some(earliest) if earliest > now => {
                self.retry.at = Some(self.retry.at.map_or(earliest, |at| at.min(earliest)));
            }
            _ => self.ask_for_nonce(now),
        }
    }

    pub(super) fn ask_for_nonce(&mut self, now: Instant) {
        let (Rekey::Idle, Some(channel)) = (&self.rekey, &self.channel) else { return };
        if self.badness.is_none() && self.is_expected_key() {
            self.outputs.push(Output::NeedNonce(channel.serial));
            self.rekey = Rekey::AwaitNonce;
            self.last_key_request = Some(now);
        }
    }

    /// Reports whether the key has stated the expected serial number.
    pub(super) fn is_expected_key(&self) -> bool {
        self.serial().is_some() && self.expected == self.serial()
    }

    /// Sends `^C`, and plans the next one in case no `S!` comes.
    fn reset(&mut self, now: Instant) {
        self.outputs.push(Output::Write(Command::Reset));
        self.counters.resets += 1;
        self.last_reset = Some(now);
        let patience = if self.state == State::Silent { self.timings.running_silence } else { RESET_INTERVAL };
        self.reset_due = Some(now + patience.max(RESET_INTERVAL));
    }

    pub(super) fn enter(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.outputs.push(Output::Event(Event::State(state)));
        }
    }

    /// Returns when the key counts as silent, `None` if it already does.
    fn silent_at(&self) -> Option<Instant> {
        let patience = if self.channel.is_none() { self.timings.opening_silence } else { self.timings.running_silence };
        (self.state != State::Silent).then(|| self.last_verified + patience)
    }

    fn deadline(&self) -> Instant {
        let rekey = if let Rekey::Sent { at, .. } = &self.rekey { Some(*at + REKEY_TIMEOUT) } else { None };
        let deadlines = [self.reset_due, self.silent_at(), rekey, self.retry.at];
        let far = self.last_verified + LONGEST_PAUSE;
        deadlines.into_iter().flatten().min().unwrap_or(far)
    }
}
