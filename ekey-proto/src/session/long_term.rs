//! Setting a new long-term key with the master key, as a state machine of its own.
//!
//! `^C` → `S!` → `M` (MAC of the nonce) → `M>` → `L` (the nonce) → `L!`. A wrong master key is found out by the key
//! before it changes anything. Source: firmware-notes/protocol.md, "Long-term rekey".

use core::time::Duration;

use super::instant::Instant;
use crate::crypt::{LongTermKey, MasterKey, Opened, SessionCrypt, verify_serial};
use crate::wire::{Command, Frame, Framer, Nonce, Packet, Serial, Text};

const RESET_INTERVAL: Duration = Duration::from_secs(1);
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// One attempt to set a new long-term key, on a link that has just been opened.
pub struct LongTermRekey {
    master_key: MasterKey,
    nonce: Nonce,
    expected: Option<Serial>,
    framer: Framer,
    step: Step,
    step_ends: Instant,
    reset_due: Instant,
    pending: Option<RekeyOutput>,
}

/// What a long-term rekey wants next.
#[derive(Debug)]
pub enum RekeyOutput {
    /// Send this to the key.
    Write(Command),
    /// The key has taken a new long-term key. Nothing follows.
    Done {
        /// The key that was rekeyed.
        serial: Serial,
        /// Its new long-term key: worth nothing until it is in a keyring.
        long_term_key: LongTermKey,
    },
    /// The attempt has failed. Nothing follows.
    Failed(RekeyError),
    /// Call [`LongTermRekey::handle_timeout`] at this time unless input comes first.
    WaitUntil(Instant),
}

/// Why a long-term rekey failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RekeyError {
    /// The key did not say who it is.
    #[error("the key does not answer, nothing was changed: unplug it, plug it in again and repeat")]
    NoSerial,
    /// It is another key than the one named.
    #[error("this is the key {found}, not {expected}, nothing was changed: check which device to use")]
    WrongSerial {
        /// The serial number of the key on this link.
        found: Serial,
        /// The one that was asked for.
        expected: Serial,
    },
    /// The key did not answer the MAC of the nonce.
    #[error("the key did not unlock, nothing was changed: repeat")]
    NoUnlock,
    /// The key refused.
    #[error("the key refused ({0}), nothing was changed: is this the master key from this key's own card?")]
    Refused(Text),
    /// The key has stopped itself and does not rekey.
    #[error("the key's generators have gone bad ({0}), nothing was changed: see what its status says")]
    GeneratorsBad(Text),
    /// The key did not confirm. It may have taken a new long-term key that nobody knows.
    #[error("the key did not confirm, and its long-term key may now be one that nobody knows: repeat")]
    NoReply,
    /// The key worked with another nonce than was sent, so that the new long-term key is not known.
    #[error("the key received only {0} bytes of the nonce, its new long-term key is not known: repeat")]
    NonceLength(u16),
}

enum Step {
    AwaitSerial,
    AwaitUnlock(Serial, SessionCrypt),
    AwaitReply(Serial, SessionCrypt),
    Finished,
}

impl LongTermRekey {
    /// Begins, with a key of any serial number or of the expected one.
    #[must_use]
    pub fn new(now: Instant, master_key: MasterKey, nonce: Nonce, expected: Option<Serial>) -> Self {
        Self {
            master_key,
            nonce,
            expected,
            framer: Framer::new(),
            step: Step::AwaitSerial,
            step_ends: now + STEP_TIMEOUT,
            reset_due: now + RESET_INTERVAL,
            pending: Some(RekeyOutput::Write(Command::Reset)),
        }
    }

    /// Takes bytes from the key up to and including the first frame that causes an output, and returns their number.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while self.pending.is_none() {
            let Some(frame) = self.framer.next_frame(&mut rest) else { break };
            self.handle_frame(now, &frame);
        }
        bytes.len() - rest.len()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.pending.is_some() {
            return;
        }
        if now >= self.step_ends {
            match self.step {
                Step::AwaitSerial => self.fail(RekeyError::NoSerial),
                Step::AwaitUnlock(..) => self.fail(RekeyError::NoUnlock),
                Step::AwaitReply(..) => self.fail(RekeyError::NoReply),
                Step::Finished => {}
            }
        } else if matches!(self.step, Step::AwaitSerial) && now >= self.reset_due {
            self.reset_due = now + RESET_INTERVAL;
            self.pending = Some(RekeyOutput::Write(Command::Reset));
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> RekeyOutput {
        let deadline = if matches!(self.step, Step::AwaitSerial) { self.reset_due } else { self.step_ends };
        self.pending.take().unwrap_or(RekeyOutput::WaitUntil(deadline.min(self.step_ends)))
    }

    fn handle_frame(&mut self, now: Instant, frame: &Frame) {
        match core::mem::replace(&mut self.step, Step::Finished) {
            Step::AwaitSerial => match verify_serial(frame) {
                Some((serial, crypt)) => self.handle_serial(now, *serial.get(), crypt),
                None => self.step = Step::AwaitSerial,
            },
            Step::AwaitUnlock(serial, crypt) => match packet(&crypt, frame) {
                Some(Packet::LongTermUnlocked) => {
                    self.advance(now, Step::AwaitReply(serial, crypt), Command::RekeyLongTerm(self.nonce));
                }
                Some(Packet::LongTermRefused(text)) => self.fail(RekeyError::Refused(text)),
                Some(Packet::GeneratorsBad(text)) => self.fail(RekeyError::GeneratorsBad(text)),
                _ => self.step = Step::AwaitUnlock(serial, crypt),
            },
            Step::AwaitReply(serial, crypt) => match packet(&crypt, frame) {
                Some(Packet::LongTermRekeyed(device)) if usize::from(device.nonce_len) != Nonce::LEN => {
                    self.fail(RekeyError::NonceLength(device.nonce_len));
                }
                Some(Packet::LongTermRekeyed(device)) => {
                    let long_term_key = self.master_key.long_term_key(&serial, &device, self.nonce.as_bytes());
                    self.pending = Some(RekeyOutput::Done { serial, long_term_key });
                }
                Some(Packet::LongTermRefused(text)) => self.fail(RekeyError::Refused(text)),
                Some(Packet::GeneratorsBad(text)) => self.fail(RekeyError::GeneratorsBad(text)),
                _ => self.step = Step::AwaitReply(serial, crypt),
            },
            Step::Finished => {}
        }
    }

    fn handle_serial(&mut self, now: Instant, found: Serial, crypt: SessionCrypt) {
        if let Some(expected) = self.expected.filter(|expected| *expected != found) {
            return self.fail(RekeyError::WrongSerial { found, expected });
        }
        let mac = self.master_key.nonce_mac(&found, self.nonce.as_bytes());
        self.advance(now, Step::AwaitUnlock(found, crypt), Command::UnlockLongTerm(mac));
    }

    fn advance(&mut self, now: Instant, step: Step, command: Command) {
        self.step = step;
        self.step_ends = now + STEP_TIMEOUT;
        self.pending = Some(RekeyOutput::Write(command));
    }

    fn fail(&mut self, error: RekeyError) {
        self.step = Step::Finished;
        self.pending = Some(RekeyOutput::Failed(error));
    }
}

/// The packet of a frame whose MAC is right, unless it is entropy or breaks the protocol.
fn packet(crypt: &SessionCrypt, frame: &Frame) -> Option<Packet> {
    match crypt.open(frame) {
        Ok(Opened::Packet(packet)) => Some(packet.into_inner()),
        _ => None,
    }
}
