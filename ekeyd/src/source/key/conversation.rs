//! One session over one link: reads, does what the session asks for, and hands on proven entropy.

use std::time::{Duration, Instant};

use crossbeam_channel::SendTimeoutError;
use ekey_link::revive::{Rung, Silence};
use ekey_link::{Link, Read};
use ekey_proto::session::{Event, Output, Session, State};
use ekey_proto::wire::{Command, FRAME_LEN, Info, Packet};
use ekey_proto::{EntropyBlock, Instant as SessionInstant, Serial};

use super::KeyCommand;
use super::allowance::Allowance;
use super::driver::{Driver, Ended, NonceEpoch};
use super::health::KeyHealth;
use super::lines::Line;
use crate::source::batch::Batch;
use crate::source::{Delivery, Grade, MOST_BATCH, SourceId, Trust};

/// Bytes read at a time: all their entropy fits one batch.
const READ_LEN: usize = FRAME_LEN * (MOST_BATCH / EntropyBlock::LEN - 1);
/// A key sends a block in a burst of 78 frames, then nothing for half a second (firmware-notes/protocol.md).
const BURST_LEN: usize = FRAME_LEN * 78;
/// How long to wait for the rest of a burst, so that this thread and the daemon wake up once for a burst and not for each frame.
/// Also the shortest pause before a burst: in a steady stream, waiting would lose time.
const BURST: Duration = Duration::from_millis(20);
/// The pause after each [`Allowance`]: the sender is broken or not a key.
const SLOW_DOWN: Duration = Duration::from_millis(100);
const WRITE_PATIENCE: Duration = Duration::from_secs(1);
/// How often to check for commands while the daemon takes no entropy.
const COMMAND_CHECK: Duration = Duration::from_millis(100);

impl Driver {
    /// Runs one session over an open link.
    pub(super) fn converse(&mut self, mut link: Box<dyn Link>) -> Ended {
        let mut session = Session::new(self.clock.now(), self.settings.expected, self.settings.timings);
        let ended = self.exchange(&mut *link, &mut session);
        self.publish(&session);
        self.record().end_session();
        link.close();
        ended
    }

    fn exchange(&mut self, link: &mut dyn Link, session: &mut Session) -> Ended {
        let mut buffer = vec![0; READ_LEN];
        let (mut verified, mut allowance) = (0, Allowance::new());
        loop {
            let deadline = match self.do_outputs(link, session) {
                Ok(deadline) => deadline,
                Err(ended) => return ended,
            };
            self.publish(session);
            self.tell();
            if self.clock.has_slept() {
                session.start_over(self.clock.now());
                continue;
            }
            if self.freshness.wants_new_session(|| self.nonces.is_ready()) {
                let key = self.settings.name.shown();
                tracing::info!(%key, "the kernel's generator is ready now: a new session with the key begins");
                session.start_over(self.clock.now());
                continue;
            }
            if session.counters().verified > verified {
                verified = session.counters().verified;
                self.note_heard(session);
            }
            allowance.note_blocks(session.counters().entropy_blocks);
            match self.ladder.next(Instant::now()) {
                None => {}
                Some(Rung::Soft | Rung::Pause) => {
                    self.show_recovery();
                    session.start_over(self.clock.now());
                    self.ladder.note_done(Instant::now());
                    continue;
                }
                Some(rung) => return Ended::Step(rung),
            }
            let now = self.clock.now();
            if deadline <= now {
                session.handle_timeout(now);
                self.note_silence(session);
                continue;
            }
            if allowance.is_spent() {
                allowance.renew();
                if let Some(ended) = self.slow_down(session) {
                    return ended;
                }
            }
            let until = self.clock.instant(deadline);
            let until = self.ladder.deadline().map_or(until, |at| at.min(until));
            let began = Instant::now();
            let most = allowance.most().min(READ_LEN);
            match link.read(&mut buffer[..most], until) {
                Ok(Read::Bytes(count)) => {
                    allowance.spend(count);
                    let paused = began.elapsed() >= BURST;
                    if let Err(ended) = self.digest(link, session, &mut buffer, count, paused) {
                        return ended;
                    }
                }
                Ok(Read::TimedOut) => {}
                Ok(Read::Interrupted) => {
                    if let Some(ended) = self.handle_commands(session) {
                        return ended;
                    }
                }
                Err(error) => return Ended::Broken(error),
            }
        }
    }

    /// Waits for the rest of a burst and reads it. Returns the count of bytes. If the link breaks, the next read reports it.
    fn gather(&self, link: &mut dyn Link, buffer: &mut [u8]) -> usize {
        std::thread::sleep(BURST);
        match link.read(buffer, Instant::now()) {
            Ok(Read::Bytes(count)) => count,
            Ok(Read::Interrupted) => {
                self.interrupt.wake();
                0
            }
            Ok(Read::TimedOut) | Err(_) => 0,
        }
    }

    /// Does not read the key for a while. This time counts as silence.
    fn slow_down(&mut self, session: &mut Session) -> Option<Ended> {
        match self.inbox.recv_timeout(SLOW_DOWN) {
            Ok(command) => self.handle_command(command, session),
            Err(_) => None,
        }
    }

    /// Feeds the session the `count` bytes read into `buffer`, and hands on the entropy in them. `paused`: the key was silent
    /// before.
    fn digest(
        &mut self,
        link: &mut dyn Link,
        session: &mut Session,
        buffer: &mut [u8],
        count: usize,
        paused: bool,
    ) -> Result<(), Ended> {
        self.send(session)?;
        self.freshness.note_rekeys(session.counters().rekeys);
        self.epoch = self.nonce_epoch.of_session(session.counters().rekeys).unwrap_or(self.epoch);
        // Large enough that it never moves, which would leave a copy.
        let most = count.max(BURST_LEN);
        self.batch = Batch::with_capacity((most / FRAME_LEN + 1) * EntropyBlock::LEN);
        let mut outcome = self.feed(link, session, &buffer[..count]);
        if paused && !self.batch.is_empty() && count < BURST_LEN {
            let rest = self.gather(link, &mut buffer[..BURST_LEN - count]);
            outcome = outcome.and(self.feed(link, session, &buffer[..rest]));
        }
        self.judge_batch();
        self.send(session)?;
        outcome
    }

    /// Feeds the session bytes and does what it asks for. If the link breaks on a write, the bytes already read still count.
    fn feed(&mut self, link: &mut dyn Link, session: &mut Session, mut bytes: &[u8]) -> Result<(), Ended> {
        self.bytes.read += bytes.len() as u64;
        let now = self.clock.now();
        let mut outcome = Ok(());
        while !bytes.is_empty() {
            let gathered = self.batch.len();
            let taken = session.handle_input(now, bytes, |block| self.batch.extend_from_slice(block.as_bytes()));
            self.books.verified_bytes += (self.batch.len() - gathered) as u64;
            bytes = &bytes[taken..];
            outcome = outcome.and(self.do_outputs(link, session).map(drop));
        }
        outcome
    }

    /// Does everything that the session asks for. Returns when to call it again. After a failure, does the rest and returns the
    /// first failure.
    fn do_outputs(&mut self, link: &mut dyn Link, session: &mut Session) -> Result<SessionInstant, Ended> {
        let mut failure = None;
        loop {
            let done = match session.poll_output() {
                Output::Write(_) if failure.is_some() => Ok(()),
                Output::Write(command) => self.write(link, command),
                Output::NeedNonce(serial) => self.give_nonce(session, serial),
                Output::Event(Event::State(state)) => {
                    self.note_state(session, state);
                    Ok(())
                }
                Output::Event(Event::Info(info)) => {
                    self.note_info(session, &info);
                    Ok(())
                }
                Output::Event(Event::Message(packet)) => {
                    self.log_message(&packet);
                    Ok(())
                }
                Output::WaitUntil(deadline) => return failure.map_or(Ok(deadline), Err),
            };
            if let Err(ended) = done {
                failure.get_or_insert(ended);
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
        let fresh = self.nonces.next().map_err(Ended::NoNonce)?;
        self.freshness.note_nonce(&fresh, session.counters().rekeys);
        self.nonce_epoch = NonceEpoch { epoch: self.inlet.epochs.present(), rekeys: session.counters().rekeys };
        session.handle_nonce(self.clock.now(), fresh.nonce, self.keyring.long_term_key(&serial));
        Ok(())
    }

    /// Tests the gathered bytes and accounts for them.
    fn judge_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let grade = match &mut self.health {
            Some(health) => health.judge(&batch, &self.settings.name, &self.settings.lines),
            None => Grade::Fit,
        };
        let grade = match grade {
            Grade::Fit if self.freshness.is_doubtful() => Grade::Unfit { suspect: None },
            grade => grade,
        };
        let bytes = batch.len() as u64;
        match grade {
            Grade::Fit => self.books.handed_bytes += bytes,
            Grade::Unfit { .. } => self.books.put_aside_bytes += bytes,
        }
        self.publish_books();
        let from = SourceId::key(self.settings.number);
        self.unsent =
            Some(Delivery { from, trust: Trust::Proven, credited: true, bytes: batch, grade, epoch: self.epoch });
    }

    /// Hands on the tested batch. While the daemon has no room, does not read the key, which waits.
    fn send(&mut self, session: &mut Session) -> Result<(), Ended> {
        let Some(mut batch) = self.unsent.take() else { return Ok(()) };
        self.tell();
        loop {
            let began = Instant::now();
            match self.inlet.deliveries.send_timeout(batch, COMMAND_CHECK) {
                Ok(()) => break,
                Err(SendTimeoutError::Disconnected(unsent)) => {
                    self.book_dropped(&unsent);
                    return Err(Ended::Stopped);
                }
                Err(SendTimeoutError::Timeout(unsent)) => batch = unsent,
            }
            self.clock.leave_out(began.elapsed());
            self.publish(session);
            if let Some(ended) = self.handle_commands(session) {
                // It is sent when this thread reads the key again, or before it ends.
                self.unsent = Some(batch);
                return Err(ended);
            }
        }
        self.inlet.wake();
        Ok(())
    }

    /// Notes what the key says of its health. Only under a session key is it a reason to warn: anyone can say it before.
    fn note_info(&mut self, session: &Session, info: &Info) {
        let warnings = match &mut self.health {
            Some(health) if session.is_proven() => {
                Some(health.note_info(info, &self.settings.name, &self.settings.lines))
            }
            _ => None,
        };
        self.record().note_info(info, warnings, session.is_proven());
    }

    /// Shows the session's state, unless the key is silent and a rung is being tried: then the rung is shown until a frame
    /// verifies.
    fn note_state(&mut self, session: &Session, state: State) {
        // The log shows the serial number that the key has just sent.
        self.publish(session);
        if let (State::Running, Some(serial)) = (state, session.serial()) {
            self.settings.lines.note_proven(serial);
        }
        if self.ladder.current().is_none() {
            self.enter(state.into(), None);
        }
    }

    /// Notes that a frame has verified: the last rung tried has helped.
    fn note_heard(&mut self, session: &Session) {
        if self.ladder.current().is_some() {
            self.ladder.note_verified(Instant::now());
            self.enter(session.state().into(), None);
        }
    }

    fn note_silence(&mut self, session: &Session) {
        if session.state() == State::Silent {
            let heard = session.counters().verified > 0;
            let silence = if heard { Silence::WhileRunning } else { Silence::AfterOpening };
            self.ladder.note_silent(Instant::now(), silence);
        }
    }

    fn log_message(&self, packet: &Packet) {
        let line = if let Packet::GeneratorsBad(_) = packet { Line::GeneratorsBad } else { Line::Message };
        let Some(more) = self.settings.lines.admit(line) else { return };
        let key = self.settings.name.shown();
        match packet {
            Packet::GeneratorsBad(text) => tracing::error!(%key, "the key says: {text}{more}"),
            Packet::UnknownInput(text) | Packet::LongTermRefused(text) => {
                tracing::debug!(%key, "the key says: {text}{more}");
            }
            other => tracing::debug!(%key, "the key sent an unrequested packet: {other:?}{more}"),
        }
    }

    fn publish(&self, session: &Session) {
        let heard = session.counters().verified > 0;
        let last_verified = heard.then(|| self.clock.instant(session.last_verified()));
        let mut record = self.record();
        record.set_books(self.shown_books(), self.health.as_ref().map(KeyHealth::vitals));
        record.note_session(session, self.bytes, last_verified);
        record.set_revival(&self.ladder, self.refused.as_ref());
        record.set_doubtful(self.freshness.is_doubtful());
    }

    /// Handles the waiting commands. Returns how the conversation ends, if one of them ends it.
    fn handle_commands(&mut self, session: &mut Session) -> Option<Ended> {
        while let Ok(command) = self.inbox.try_recv() {
            if let Some(ended) = self.handle_command(command, session) {
                return Some(ended);
            }
        }
        None
    }

    fn handle_command(&mut self, command: KeyCommand, session: &mut Session) -> Option<Ended> {
        match command {
            KeyCommand::Stop => return Some(Ended::Stopped),
            KeyCommand::NewKeyring => session.handle_new_keyring(self.clock.now()),
            KeyCommand::Forget => session.start_over(self.clock.now()),
            KeyCommand::Look => {}
            KeyCommand::Try(rung) => {
                self.ladder.order(rung);
                if rung != Rung::Soft {
                    return Some(Ended::Step(rung));
                }
                session.start_over(self.clock.now());
                self.ladder.note_done(Instant::now());
            }
        }
        None
    }
}
