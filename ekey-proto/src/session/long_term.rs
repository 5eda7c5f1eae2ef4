//! Sets a new long-term key with the master key: a state machine of its own.
//!
//! `^C` → `S!` → `M` (MAC of the nonce) → `M>` → `L` (the nonce) → `L!`. The key detects a wrong master key before it
//! changes anything. Source: firmware-notes/protocol.md, "Long-term rekey".

use core::borrow::Borrow;
use core::time::Duration;

use super::instant::Instant;
use crate::crypt::{LongTermKey, MasterKey, Opened, SessionCrypt, verify_serial};
use crate::wire::{Command, Frame, Framer, Nonce, Packet, Serial, Text};

const RESET_INTERVAL: Duration = Duration::from_secs(1);
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// One attempt to set a new long-term key, on a freshly opened link.
///
/// `K` holds the master key: with a `Box<MasterKey>`, moving the machine leaves no copy of it behind.
pub struct LongTermRekey<K = MasterKey> {
    master_key: K,
    nonce: Nonce,
    expected: Option<Serial>,
    framer: Framer,
    step: Step,
    step_ends: Instant,
    reset_due: Instant,
    pending: Option<RekeyOutput>,
}

/// The next thing that a long-term rekey wants.
#[derive(Debug)]
pub enum RekeyOutput {
    /// Send this to the key.
    Write(Command),
    /// The key accepted a new long-term key. Nothing follows.
    Done {
        /// The rekeyed key.
        serial: Serial,
        /// Its new long-term key. Store it in a keyring, or the key is useless to the host.
        long_term_key: LongTermKey,
    },
    /// The attempt failed. Nothing follows.
    Failed(RekeyError),
    /// Call [`LongTermRekey::handle_timeout`] at this time unless input comes first.
    WaitUntil(Instant),
}

/// Why a long-term rekey failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RekeyError {
    /// The key sent no `S!`.
    #[error("the key does not answer, nothing was changed: unplug it, plug it in again and repeat")]
    NoSerial,
    /// The key has another serial number than expected.
    #[error("found key {found}, expected {expected}, nothing was changed: name the right device")]
    WrongSerial {
        /// The serial number of the key on this link.
        found: Serial,
        /// The one that the caller named.
        expected: Serial,
    },
    /// The key did not answer the MAC of the nonce.
    #[error("the key did not answer the unlocking, nothing was changed: repeat the rekey")]
    NoUnlock,
    /// The key refused.
    #[error("the key refused ({0}), nothing was changed: is this the master key from this key's own card?")]
    Refused(Text),
    /// The key stopped itself and does not rekey.
    #[error("the key's generators went bad ({0}), nothing was changed: see `ekey-ctl status`")]
    GeneratorsBad(Text),
    /// The key did not confirm. It may hold a new long-term key that the host does not know.
    #[error("the key did not confirm; its new long-term key may be in no keyring: repeat the rekey")]
    NoReply,
    /// The key used another nonce than the host sent, so the host does not know the new long-term key.
    #[error("the key received only {0} bytes of the nonce; its new long-term key is unknown: repeat the rekey")]
    NonceLength(u16),
}

enum Step {
    AwaitSerial,
    AwaitUnlock(Serial, SessionCrypt),
    AwaitReply(Serial, SessionCrypt),
    Finished,
}

impl<K: Borrow<MasterKey>> LongTermRekey<K> {
    /// Begins with a `^C`. With `expected`, accepts only the key with that serial number.
    #[must_use]
    pub fn new(now: Instant, master_key: K, nonce: Nonce, expected: Option<Serial>) -> Self {
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

    /// Reads bytes of the key up to and including the first frame that causes an output. Returns how many it read.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while self.pending.is_none() {
            let Some(frame) = self.framer.next_frame(&mut rest) else { break };
            self.handle_frame(now, &frame);
        }
        bytes.len() - rest.len()
    }

    /// Acts on every deadline that has passed by `now`.
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

    /// Returns the next thing to do.
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
                    let long_term_key = self.master_key.borrow().long_term_key(&serial, &device, self.nonce.as_bytes());
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
        let mac = self.master_key.borrow().nonce_mac(&found, self.nonce.as_bytes());
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

/// Returns the packet of a frame with a right MAC, `None` if it is entropy or breaks the protocol.
fn packet(crypt: &SessionCrypt, frame: &Frame) -> Option<Packet> {
    match crypt.open(frame) {
        Ok(Opened::Packet(packet)) => Some(packet.into_inner()),
        _ => None,
    }
}
