//! The thread of one key: opens the link, lets the session say what to do, and does it.
//!
//! It opens the link again whenever the key has gone or stays silent, for as long as the daemon wants the key.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError};
use ekey_control::KeyState;
use ekey_link::{Interrupt, Link, LinkError, Read};
use ekey_proto::session::{Event, Output, Session, State};
use ekey_proto::wire::{Command, FRAME_LEN, Packet};
use ekey_proto::{EntropyBlock, Instant as SessionInstant, Serial};
use zeroize::Zeroizing;

use super::clock::Clock;
use super::record::{Bytes, Record, key_state};
use super::{KeyCommand, KeySettings, Outlet};
use crate::keyring::SharedKeyring;
use crate::nonce::Nonces;
use crate::pool::{Batch, MOST_BATCH};

/// Bytes read at a time: what one batch can hold if all of it is entropy.
const READ_LEN: usize = FRAME_LEN * (MOST_BATCH / EntropyBlock::LEN - 1);
const WRITE_PATIENCE: Duration = Duration::from_secs(1);
/// How soon a path where there is no key is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
const FIRST_REOPEN_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_REOPEN_PAUSE: Duration = Duration::from_secs(60);
/// While the daemon takes no entropy, commands are looked at this often.
const COMMAND_CHECK: Duration = Duration::from_millis(100);

/// Everything that a key's thread owns.
pub(super) struct Driver {
    settings: KeySettings,
    keyring: SharedKeyring,
    outlet: Outlet,
    inbox: Receiver<KeyCommand>,
    interrupt: Interrupt,
    record: Arc<Mutex<Record>>,
    nonces: Nonces,
    clock: Clock,
    bytes: Bytes,
    batch: Batch,
    reopen_pause: Duration,
}

/// Why a conversation with a key is over.
enum Ended {
    /// The daemon lets go of the key.
    Stopped,
    /// The link broke, or could not be used.
    Broken(LinkError),
    /// The key has been silent for so long that opening the link again is worth a try.
    Silent,
    /// The host has no randomness for a nonce.
    NoNonce(io::Error),
}

impl Driver {
    pub(super) fn new(
        settings: KeySettings,
        keyring: SharedKeyring,
        outlet: Outlet,
        inbox: Receiver<KeyCommand>,
        interrupt: Interrupt,
        record: Arc<Mutex<Record>>,
    ) -> Self {
        Self {
            settings,
            keyring,
            outlet,
            inbox,
            interrupt,
            record,
            nonces: Nonces::default(),
            clock: Clock::new(),
            bytes: Bytes::default(),
            batch: Batch::default(),
            reopen_pause: FIRST_REOPEN_PAUSE,
        }
    }

    /// Drives the key until the daemon lets go of it.
    pub(super) fn run(mut self) {
        loop {
            let ended = match ekey_link::open(&self.settings.path, &self.interrupt) {
                Ok(link) => self.converse(link),
                Err(error) => Ended::Broken(error),
            };
            let pause = match ended {
                Ended::Stopped => return,
                Ended::Broken(error) => {
                    let state = if is_gone(&error) { KeyState::Gone } else { KeyState::Opening };
                    self.enter(state, Some(error.to_string()));
                    LOOK_AGAIN
                }
                Ended::NoNonce(error) => {
                    self.enter(KeyState::SerialOk, Some(format!("/dev/urandom: {error}; a session needs a nonce")));
                    LONGEST_REOPEN_PAUSE
                }
                Ended::Silent => {
                    self.record().note_recovery();
                    let pause = self.reopen_pause;
                    self.reopen_pause = (pause * 2).min(LONGEST_REOPEN_PAUSE);
                    pause
                }
            };
            if self.rests(pause) {
                return;
            }
        }
    }

    /// Runs one session over a link that is open.
    fn converse(&mut self, mut link: Box<dyn Link>) -> Ended {
        self.record().set_transport(link.kind());
        let mut session = Session::new(self.clock.now(), self.settings.expected, self.settings.timings);
        let ended = self.exchange(&mut *link, &mut session);
        self.publish(&session);
        self.record().end_session();
        link.close();
        ended
    }

    fn exchange(&mut self, link: &mut dyn Link, session: &mut Session) -> Ended {
        let mut buffer = vec![0; READ_LEN];
        let mut silent_since = None;
        loop {
            let deadline = match self.obey(link, session) {
                Ok(deadline) => deadline,
                Err(ended) => return ended,
            };
            self.publish(session);
            let now = self.clock.now();
            let reopen = self.reopen_at(session, &mut silent_since, now);
            if reopen.is_some_and(|at| at <= now) {
                return Ended::Silent;
            }
            if deadline <= now {
                session.handle_timeout(now);
                continue;
            }
            let until = self.clock.instant(reopen.map_or(deadline, |at| at.min(deadline)));
            match link.read(&mut buffer, until) {
                Ok(Read::Bytes(count)) => {
                    if let Err(ended) = self.digest(link, session, &buffer[..count]) {
                        return ended;
                    }
                }
                Ok(Read::TimedOut) => session.handle_timeout(self.clock.now()),
                Ok(Read::Interrupted) => {
                    if self.heeds_stop(session) {
                        return Ended::Stopped;
                    }
                }
                Err(error) => return Ended::Broken(error),
            }
        }
    }

    /// Hands the session what was read, and hands on what it proves.
    fn digest(&mut self, link: &mut dyn Link, session: &mut Session, mut bytes: &[u8]) -> Result<(), Ended> {
        self.bytes.read += bytes.len() as u64;
        // Large enough that it never has to move, which would leave a copy behind.
        let most_blocks = bytes.len() / FRAME_LEN + 1;
        self.batch = Zeroizing::new(Vec::with_capacity(most_blocks * EntropyBlock::LEN));
        let now = self.clock.now();
        while !bytes.is_empty() {
            let taken = session.handle_input(now, bytes);
            bytes = &bytes[taken..];
            self.obey(link, session)?;
        }
        self.send_batch(session)
    }

    /// Does all that the session wants, and returns when it wants to be called again.
    fn obey(&mut self, link: &mut dyn Link, session: &mut Session) -> Result<SessionInstant, Ended> {
        loop {
            match session.poll_output() {
                Output::Write(command) => self.write(link, command)?,
                Output::NeedNonce(serial) => self.give_nonce(session, serial)?,
                Output::Event(Event::Entropy(block)) => self.batch.extend_from_slice(block.as_bytes()),
                Output::Event(event) => self.note(event),
                Output::WaitUntil(deadline) => return Ok(deadline),
            }
        }
    }

    fn write(&mut self, link: &mut dyn Link, command: Command) -> Result<(), Ended> {
        let bytes = command.to_bytes();
        link.write_all(bytes.as_ref(), Instant::now() + WRITE_PATIENCE).map_err(Ended::Broken)?;
        self.bytes.written += bytes.as_ref().len() as u64;
        Ok(())
    }

    fn give_nonce(&mut self, session: &mut Session, serial: Serial) -> Result<(), Ended> {
        let nonce = self.nonces.next().map_err(Ended::NoNonce)?;
        session.handle_nonce(self.clock.now(), nonce, self.keyring.long_term_key(&serial));
        Ok(())
    }

    /// Hands the batch on. While the daemon has no room the key is not listened to, and it waits.
    fn send_batch(&mut self, session: &mut Session) -> Result<(), Ended> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        let began = Instant::now();
        let mut waited = false;
        loop {
            match self.outlet.batches.send_timeout(batch, COMMAND_CHECK) {
                Ok(()) => break,
                Err(SendTimeoutError::Disconnected(_)) => return Err(Ended::Stopped),
                Err(SendTimeoutError::Timeout(unsent)) => batch = unsent,
            }
            waited = true;
            self.publish(session);
            if self.heeds_stop(session) {
                return Err(Ended::Stopped);
            }
        }
        if waited {
            self.clock.leave_out(began.elapsed());
        }
        self.wake_daemon();
        Ok(())
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::State(state) => {
                if state == State::Running {
                    self.reopen_pause = FIRST_REOPEN_PAUSE;
                }
                self.enter(key_state(state), None);
            }
            Event::Info(info) => self.record().note_info(&info),
            Event::Message(packet) => self.log_message(&packet),
            Event::Entropy(_) => {}
        }
    }

    fn log_message(&self, packet: &Packet) {
        let path = self.settings.path.display();
        match packet {
            Packet::GeneratorsBad(text) => tracing::error!(key = %path, "the key says: {text}"),
            Packet::UnknownInput(text) | Packet::LongTermRefused(text) => {
                tracing::debug!(key = %path, "the key says: {text}");
            }
            other => tracing::debug!(key = %path, "the key sent an unasked packet: {other:?}"),
        }
    }

    /// Notes and logs a state. A silent key stays called silent until it is heard, whatever is tried meanwhile.
    fn enter(&mut self, state: KeyState, detail: Option<String>) {
        let mut record = self.record();
        if *record.state() == KeyState::Silent && matches!(state, KeyState::Opening | KeyState::AwaitSerial) {
            return;
        }
        let changed = record.enter(state, detail.clone());
        let status = changed.then(|| record.status());
        drop(record);
        let Some(status) = status else { return };
        let (key, word) = (&status.path, status.state.short_word());
        let serial = status.known_serial().unwrap_or("unknown");
        match (status.next_step(), detail) {
            (None, None) => tracing::info!(%key, %serial, "{word}"),
            (None, Some(detail)) => tracing::warn!(%key, %serial, "{word}: {detail}"),
            (Some(step), None) => tracing::warn!(%key, %serial, "{word}; {step}"),
            (Some(_), Some(detail)) => tracing::warn!(%key, %serial, "{word}: {detail}"),
        }
        self.wake_daemon();
    }

    fn publish(&self, session: &Session) {
        let heard = session.counters().verified > 0;
        let last_verified = heard.then(|| self.clock.instant(session.last_verified()));
        self.record().note_session(session, self.bytes, last_verified);
    }

    /// When to give up on a silent session and open the link again.
    fn reopen_at(
        &self,
        session: &Session,
        silent_since: &mut Option<SessionInstant>,
        now: SessionInstant,
    ) -> Option<SessionInstant> {
        if session.state() != State::Silent {
            *silent_since = None;
            return None;
        }
        Some(*silent_since.get_or_insert(now) + self.settings.timings.running_silence)
    }

    /// Takes in commands. Returns whether one of them is to stop.
    fn heeds_stop(&mut self, session: &mut Session) -> bool {
        for command in self.inbox.try_iter() {
            match command {
                KeyCommand::Stop => return true,
                KeyCommand::NewKeyring => session.handle_new_keyring(self.clock.now()),
            }
        }
        false
    }

    /// Waits without a link. Returns whether the daemon lets go of the key.
    fn rests(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            match self.inbox.recv_deadline(until) {
                Ok(KeyCommand::Stop) => return true,
                Ok(KeyCommand::NewKeyring) => {}
                Err(error) => return error.is_disconnected(),
            }
        }
    }

    fn wake_daemon(&self) {
        if let Err(error) = self.outlet.waker.wake() {
            tracing::error!("cannot wake the daemon: {error}");
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is no key at the path, as opposed to one that cannot be used.
fn is_gone(error: &LinkError) -> bool {
    match error {
        LinkError::Gone => true,
        LinkError::Open { source, .. } => {
            matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
        }
        _ => false,
    }
}
