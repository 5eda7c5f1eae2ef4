//! The key as a state machine: bytes and time go in, frames come out.
//!
//! Time is a [`Duration`] since the [`Device`] was made, and never runs backwards. This module reads no clock, does not
//! wait and touches no file. A `Device` stays the same key when it is unplugged and plugged in again.
//!
//! Source: firmware-notes/protocol.md.

mod blocks;
mod flood;
mod information;
mod input;
mod session;
mod setup;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ekey_proto::wire::{Badness, DeviceEntropy, MAC_LEN, SubCode};
use ekey_proto::{Frame, LongTermKey, MasterKey, Serial};

use self::blocks::Blocks;
use self::information::Information;
use self::input::{CTRL_C, Input, Request};
use self::session::Session;
pub use self::setup::{DEFAULT_RATE, Setup};
use crate::faults::{FaultKind, Faults, FrameBytes};
use crate::generator::{Generator, Stream};
use crate::{Flood, Revival, Wedge};

/// A Simtec Entropy Key.
pub struct Device {
    serial: Serial,
    long_term_key: LongTermKey,
    /// The wrong long-term key, for faults that need one.
    other_long_term_key: LongTermKey,
    master_key: MasterKey,
    answers: Generator,
    faults: Faults,
    wedge: Option<Wedge>,
    flood: Option<Flood>,
    /// Frames of the flood so far.
    flooded: usize,

    session: Session,
    input: Input,
    /// MAC of the nonce that the next long-term rekey must use.
    unlocked: Option<[u8; MAC_LEN]>,
    blocks: Blocks,
    information: Information,
    badness: Badness,
    /// The step that ends the key's silence.
    silent_until: Option<Revival>,
    /// Entropy frames since power-up.
    frames: u64,
    /// Times that the key has stopped itself.
    stops: usize,

    replies: Vec<u8>,
    new_long_term_key: Option<LongTermKey>,
}

/// What a key sends, and what must be recorded before it is sent.
#[derive(Default)]
pub struct Output {
    /// Bytes for the host.
    pub bytes: Vec<u8>,
    /// Entropy of the frames in `bytes` that go out whole, 32 bytes each. A frame that is sent twice counts once.
    pub blocks: Vec<u8>,
    /// The new long-term key, if the host has set one.
    pub long_term_key: Option<LongTermKey>,
}

impl Output {
    /// Empties the output for the next call.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.blocks.clear();
        self.long_term_key = None;
    }
}

/// The largest packet on the key's USB endpoint.
const USB_PACKET: usize = 64;
/// The reasons for which a key stops itself, used in turn.
const BADNESSES: &[u8] = b"12345789AB";
const NEEDS_SESSION: &str = "Unable to send entropy. Please re-key session.";
const GONE_BAD: &str = "Generators have gone bad, rekeying abandoned.";

impl Device {
    /// Powers a key up at time 0.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup { serial, long_term_key, master_key, seed, rate, faults, wedge, flood, source, fade } = setup;
        let mut answers = seed.generator(Stream::Answers);
        let other_long_term_key = LongTermKey::from_bytes(answers.bytes());
        let session_before = faults
            .iter()
            .any(|fault| fault.kind == FaultKind::OldSession)
            .then(|| session_before(serial, &other_long_term_key, &mut answers));
        Self {
            serial,
            long_term_key,
            other_long_term_key,
            master_key,
            answers,
            faults: Faults::new(&faults, &seed, session_before.into_iter().flatten()),
            session: Session::reset(serial),
            input: Input::default(),
            unlocked: None,
            blocks: Blocks::new(seed.generator(Stream::Entropy), rate, source),
            information: Information::new(seed.generator(Stream::Information), fade),
            badness: Badness::NONE,
            silent_until: wedge.filter(|wedge| wedge.after.is_none()).map(|wedge| wedge.until),
            wedge,
            flood,
            flooded: 0,
            frames: 0,
            stops: 0,
            replies: Vec::new(),
            new_long_term_key: None,
        }
    }

    /// Returns the serial number on the key's label.
    #[must_use]
    pub const fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Handles bytes from the host. Up to 64 bytes count as one USB packet; more are split.
    pub fn handle_input(&mut self, now: Duration, bytes: &[u8]) {
        for packet in bytes.chunks(USB_PACKET) {
            self.handle_packet(now, packet);
        }
    }

    /// Handles a step that may revive the key. `^C` is not one of these: it comes as input.
    pub fn handle_revival(&mut self, now: Duration, step: Revival) {
        if self.silent_until.is_some_and(|needed| step.revives(needed)) {
            self.silent_until = None;
        }
        if step == Revival::Replug {
            self.badness = Badness::NONE;
            self.frames = 0;
            self.reset(now);
        }
    }

    /// Makes the key hang until the step `until`, as after a request that its firmware does not survive.
    pub fn hang(&mut self, until: Revival) {
        self.silent_until = Some(self.silent_until.map_or(until, |already| already.max(until)));
    }

    /// Appends what the key says by `now` to `output`: at most one block of entropy. Call it again when the host has
    /// taken all of it and [`Device::next_output`] has come.
    pub fn produce(&mut self, now: Duration, output: &mut Output) {
        output.long_term_key = self.new_long_term_key.take().or(output.long_term_key.take());
        if self.silent_until.is_some() {
            return;
        }
        output.bytes.append(&mut self.replies);
        if let Some(flood) = self.flooding() {
            return self.flood(flood, output);
        }
        if now >= self.information.due() {
            let texts = if self.faults.boasts_in_information() {
                self.information.boasts(now)
            } else {
                self.information.texts(now, self.badness)
            };
            for text in texts {
                output.bytes.extend(self.session.text(*b"I>", &text).to_bytes());
            }
        }
        if self.badness != Badness::NONE {
            return;
        }
        if self.session.next().is_some() {
            if now >= self.blocks.ready_at() {
                self.send_block(now, output);
            }
        } else if now >= self.blocks.plea_at() {
            output.bytes.extend(self.session.text(*b"k>", NEEDS_SESSION).to_bytes());
            self.blocks.has_asked(now);
        }
    }

    /// Returns when the key will speak if the host sends nothing before; `None` if it stays silent.
    #[must_use]
    pub fn next_output(&self) -> Option<Duration> {
        if self.silent_until.is_some() {
            return None;
        }
        if !self.replies.is_empty() || self.flooding().is_some() {
            return Some(Duration::ZERO);
        }
        let entropy = match self.session.next() {
            _ if self.badness != Badness::NONE => None,
            Some(_) => Some(self.blocks.ready_at()),
            None => Some(self.blocks.plea_at()),
        };
        Some(entropy.map_or(self.information.due(), |at| at.min(self.information.due())))
    }

    /// Returns how many bytes of answers [`Device::produce`] has not handed out. They grow with the host's input, so
    /// stop feeding the key while there are many.
    #[must_use]
    pub const fn pending_replies(&self) -> usize {
        self.replies.len()
    }

    fn handle_packet(&mut self, now: Duration, mut packet: &[u8]) {
        if let Some(needed) = self.silent_until {
            let ctrl_c = packet.iter().position(|byte| *byte == CTRL_C);
            let Some(at) = ctrl_c.filter(|_| Revival::CtrlC.revives(needed)) else { return };
            self.silent_until = None;
            packet = &packet[at..];
        }
        while let Some(request) = self.input.next_request(&mut packet) {
            match request {
                Request::Reset => {
                    self.reset(now);
                    self.reply(&self.session.serial_number());
                }
                Request::RekeySession(nonce) => self.rekey_session(&nonce),
                Request::UnlockLongTerm(mac) => {
                    self.unlocked = Some(mac);
                    self.reply(&self.session.text(*b"M>", "Long-term rekey unlocked"));
                }
                Request::RekeyLongTerm(nonce) => self.rekey_long_term(&nonce),
                Request::Unknown(byte) => {
                    let text = format!("Unknown Input Character 0x{byte:02x}");
                    self.reply(&self.session.text(*b"W>", &text));
                }
            }
        }
    }

    fn reset(&mut self, now: Duration) {
        self.input = Input::default();
        self.unlocked = None;
        self.faults.end_session();
        self.session = Session::reset(self.faults.serial_of(self.serial));
        self.blocks.ask_with_next_block(now);
    }

    fn rekey_session(&mut self, nonce: &[u8]) {
        let Some(answer) = self.answer(*b"K!", nonce) else { return };
        let mistaken = self.faults.mistakes_long_term_key();
        let long_term_key = if mistaken { &self.other_long_term_key } else { &self.long_term_key };
        let serial = *self.session.serial();
        let key = long_term_key.session_key(&serial, &answer, nonce);
        self.faults.end_session();
        self.session = Session::begin(serial, &key);
    }

    fn rekey_long_term(&mut self, nonce: &[u8]) {
        let serial = *self.session.serial();
        // One `M` unlocks one attempt.
        let Some(mac) = self.unlocked.take() else {
            return self.reply(&self.session.text(*b"l>", "Long-term rekey locked-out"));
        };
        if mac != self.master_key.nonce_mac(&serial, nonce) {
            return self.reply(&self.session.text(*b"l>", "Nonce MAC does not match"));
        }
        let Some(answer) = self.answer(*b"L!", nonce) else { return };
        self.long_term_key = self.master_key.long_term_key(&serial, &answer, nonce);
        self.new_long_term_key = Some(self.long_term_key.duplicate());
    }

    /// Answers a rekey under the current key. Returns the key's part of it, or `None` if the key has stopped itself.
    fn answer(&mut self, kind: [u8; 2], nonce: &[u8]) -> Option<DeviceEntropy> {
        if self.badness != Badness::NONE {
            self.reply(&self.session.text(*b"B>", GONE_BAD));
            return None;
        }
        let claimed = if self.faults.boasts_in_answer() { None } else { u16::try_from(nonce.len()).ok() };
        let nonce_len = SubCode::new(claimed.unwrap_or(SubCode::MAX));
        let answer = DeviceEntropy { nonce_len: nonce_len.value(), bytes: self.answers.bytes() };
        self.reply(&self.session.binary(kind, nonce_len, &answer.bytes));
        Some(answer)
    }

    fn reply(&mut self, frame: &Frame) {
        self.replies.extend(frame.to_bytes());
    }

    fn send_block(&mut self, now: Duration, output: &mut Output) {
        if self.blocks.begin(now) {
            self.information.count_block();
        }
        while let Some(next) = self.session.next() {
            let Some(piece) = self.blocks.next() else { return };
            self.session.skip(self.faults.gap_before(next));
            let frame = self.session.entropy(&piece);
            if self.faults.send(&frame, &mut output.bytes) {
                output.blocks.extend(piece);
            }
            self.frames += 1;
            if !self.goes_on() {
                return;
            }
        }
        self.blocks.ask_at_once(now);
    }

    /// Applies the faults and wedges that count frames. Returns whether the key still works.
    fn goes_on(&mut self) -> bool {
        if self.faults.stop_after(self.frames) {
            self.badness = Badness::from_code(BADNESSES[self.stops % BADNESSES.len()]);
            self.stops += 1;
        }
        if self.faults.stall_after(self.frames) {
            self.silent_until = Some(Revival::CtrlC);
        }
        if let Some(wedge) = self.wedge.take_if(|wedge| wedge.after.is_some_and(|after| after.get() == self.frames)) {
            self.silent_until = Some(wedge.until);
        }
        self.badness == Badness::NONE && self.silent_until.is_none()
    }
}

/// Returns frames of a session that ended before the first host came.
fn session_before(
    serial: Serial,
    long_term_key: &LongTermKey,
    answers: &mut Generator,
) -> impl Iterator<Item = FrameBytes> + use<> {
    let answer = DeviceEntropy { nonce_len: 0, bytes: answers.bytes() };
    let mut session = Session::begin(serial, &long_term_key.session_key(&serial, &answer, &[]));
    let pieces: [[u8; 32]; 16] = std::array::from_fn(|_| answers.bytes());
    pieces.into_iter().map(move |piece| session.entropy(&piece).to_bytes())
}
