//! Applies the faults of a key: damage to single entropy frames on their way out, and wrong answers.
//!
//! Answers (`S!`, `K!` and so on) are never damaged on their way. Every choice follows from the seed.

mod choice;
mod fault;

use std::collections::VecDeque;

use ekey_proto::wire::{FRAME_LEN, SubCode};
use ekey_proto::{Frame, Serial};

use self::choice::Choice;
pub use self::fault::{Fault, FaultKind, InvalidFault};
use crate::generator::{Seed, Stream};

/// A frame on the wire.
pub(crate) type FrameBytes = [u8; FRAME_LEN];

/// The faults of one key. If two are of one kind, the last one counts.
pub(crate) struct Faults {
    flip: Option<Choice>,
    drop: Option<Choice>,
    replay: Option<Choice>,
    old_session: Option<Choice>,
    noise: Option<Choice>,
    truncate: Option<Choice>,
    gap: Option<Choice>,
    badness: Option<u64>,
    stall: Option<u64>,
    wrong_serial: Option<Turns>,
    ltk_mismatch: Option<Turns>,
    boasts_in_information: Option<Turns>,
    boasts_in_answers: Option<Turns>,
    /// The last frames of this session that went out whole, oldest first; empty unless a fault may send one again.
    session: VecDeque<FrameBytes>,
    /// Frames of the session before.
    session_before: VecDeque<FrameBytes>,
}

impl Faults {
    /// Takes the faults. `session_before` holds frames of a session that ended before the first host came.
    pub(crate) fn new(faults: &[Fault], seed: &Seed, session_before: impl Iterator<Item = FrameBytes>) -> Self {
        let every = |kind| faults.iter().rfind(|fault| fault.kind == kind).map(|fault| fault.every);
        let choice = |kind| every(kind).map(|every| Choice::new(every, seed.generator(Stream::Fault(kind as u8))));
        let count = |kind| every(kind).map(|every| u64::from(every.get()));
        let turns = |kind| count(kind).map(Turns::new);
        Self {
            flip: choice(FaultKind::Flip),
            drop: choice(FaultKind::Drop),
            replay: choice(FaultKind::Replay),
            old_session: choice(FaultKind::OldSession),
            noise: choice(FaultKind::Noise),
            truncate: choice(FaultKind::Truncate),
            gap: choice(FaultKind::Gap),
            badness: count(FaultKind::Badness),
            stall: count(FaultKind::Stall),
            wrong_serial: turns(FaultKind::WrongSerial),
            ltk_mismatch: turns(FaultKind::LtkMismatch),
            boasts_in_information: turns(FaultKind::Boast),
            boasts_in_answers: turns(FaultKind::Boast),
            session: VecDeque::new(),
            session_before: session_before.collect(),
        }
    }

    /// Returns how many sequence numbers to skip before the frame that would get `next`.
    pub(crate) fn gap_before(&mut self, next: u16) -> u16 {
        let Some(choice) = &mut self.gap else { return 0 };
        // A host cannot see a gap before the first frame, and no frame shows one after the last.
        if !choice.hits((1..SubCode::MAX).contains(&next)) {
            return 0;
        }
        let longest = LONGEST_GAP.min(SubCode::MAX - next);
        choice.generator().between(1, u32::from(longest)) as u16
    }

    /// Appends an entropy frame, with its faults, to `out`. Returns whether it went out whole.
    pub(crate) fn send(&mut self, frame: &Frame, out: &mut Vec<u8>) -> bool {
        let bytes = frame.to_bytes();
        if let Some(noise) = hit(&mut self.noise, true) {
            add_noise(noise, out);
        }
        let whole = self.send_itself(&bytes, out);
        if let Some(replay) = hit(&mut self.replay, whole || !self.session.is_empty()) {
            // The first frame of a session has none before it, so it is sent twice.
            out.extend(pick(&self.session, replay).unwrap_or(bytes));
        }
        if let Some(old) = hit(&mut self.old_session, !self.session_before.is_empty()) {
            out.extend(pick(&self.session_before, old).into_iter().flatten());
        }
        if whole && (self.replay.is_some() || self.old_session.is_some()) {
            if self.session.len() == KEPT {
                self.session.pop_front();
            }
            self.session.push_back(bytes);
        }
        whole
    }

    /// Keeps the frames of the session that ends, for the fault `old-session`.
    pub(crate) fn end_session(&mut self) {
        if !self.session.is_empty() {
            self.session_before = std::mem::take(&mut self.session);
        }
    }

    /// Returns whether the key stops itself after this many entropy frames.
    pub(crate) fn stop_after(&self, frames: u64) -> bool {
        self.badness == Some(frames)
    }

    /// Returns whether the key falls silent after this many entropy frames.
    pub(crate) fn stall_after(&self, frames: u64) -> bool {
        self.stall.is_some_and(|every| frames.is_multiple_of(every))
    }

    /// Returns the serial number that the key uses after a reset.
    pub(crate) fn serial_of(&mut self, serial: Serial) -> Serial {
        if !self.wrong_serial.as_mut().is_some_and(Turns::strikes) {
            return serial;
        }
        let mut bytes = *serial.as_bytes();
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        Serial::from_bytes(bytes)
    }

    /// Returns whether the next session key comes from the wrong long-term key.
    pub(crate) fn mistakes_long_term_key(&mut self) -> bool {
        self.ltk_mismatch.as_mut().is_some_and(Turns::strikes)
    }

    /// Returns whether this second's information claims too much.
    pub(crate) fn boasts_in_information(&mut self) -> bool {
        self.boasts_in_information.as_mut().is_some_and(Turns::strikes)
    }

    /// Returns whether this answer to a rekey claims a longer nonce than was sent.
    pub(crate) fn boasts_in_answer(&mut self) -> bool {
        self.boasts_in_answers.as_mut().is_some_and(Turns::strikes)
    }

    fn send_itself(&mut self, bytes: &FrameBytes, out: &mut Vec<u8>) -> bool {
        let (mut sent, mut kept) = (*bytes, FRAME_LEN);
        if let Some(flip) = hit(&mut self.flip, true) {
            let bit = flip.generator().below(8 * MAC_END - 8 * CONTENT_START) as usize;
            sent[CONTENT_START as usize + bit / 8] ^= 1 << (bit % 8);
        }
        if let Some(truncate) = hit(&mut self.truncate, true) {
            kept = truncate.generator().between(1, FRAME_LEN as u32 - 1) as usize;
        }
        if hit(&mut self.drop, true).is_some() {
            kept = 0;
        }
        out.extend_from_slice(&sent[..kept]);
        kept == FRAME_LEN && sent == *bytes
    }
}

const LONGEST_GAP: u16 = 20;
const LONGEST_NOISE: u32 = 200;
/// Frames of a session that are kept to be sent again.
const KEPT: usize = 64;
/// Content and MAC are a frame's characters from here up to `MAC_END`.
const CONTENT_START: u32 = 2;
const MAC_END: u32 = 62;

/// Strikes every `every`th time.
struct Turns {
    every: u64,
    seen: u64,
}

impl Turns {
    const fn new(every: u64) -> Self {
        Self { every, seen: 0 }
    }

    fn strikes(&mut self) -> bool {
        self.seen += 1;
        self.seen.is_multiple_of(self.every)
    }
}

/// Returns the choice if the fault is set and hits this frame.
fn hit(choice: &mut Option<Choice>, can: bool) -> Option<&mut Choice> {
    choice.as_mut().and_then(|choice| choice.hits(can).then_some(choice))
}

fn pick(from: &VecDeque<FrameBytes>, choice: &mut Choice) -> Option<FrameBytes> {
    let at = choice.generator().below(u32::try_from(from.len()).ok()?);
    from.get(at as usize).copied()
}

fn add_noise(choice: &mut Choice, out: &mut Vec<u8>) {
    let mut noise = [0; LONGEST_NOISE as usize];
    let noise = &mut noise[..choice.generator().between(1, LONGEST_NOISE) as usize];
    loop {
        choice.generator().fill(noise);
        let is_frame = |window: &[u8]| window.first_chunk().and_then(Frame::from_bytes).is_some();
        let holds_frame = noise.windows(FRAME_LEN).any(is_frame);
        if !holds_frame {
            break out.extend_from_slice(noise);
        }
    }
}
