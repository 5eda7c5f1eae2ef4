//! The thread of one key: finds it, opens the link, runs sessions, and climbs the ladder when the key falls silent.
//!
//! It opens the link again when the key has gone or a step of reviving it needs that, until the daemon releases the key.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use ekey_control::KeyState;
use ekey_control::books::KeyBooks;
use ekey_link::find::FoundKey;
use ekey_link::revive::{self, Ladder, Means, Neighbours, ReviveError, Rung, Silence};
use ekey_link::{Interrupt, Link, LinkError};
use ekey_proto::session::State;

use super::clock::Clock;
use super::freshness::Freshness;
use super::health::KeyHealth;
use super::lines::Line;
use super::nonce::Nonces;
use super::place::{Place, Spot, likely_transport};
use super::record::{Bytes, Record};
use super::{KeyCommand, KeySettings};
use crate::config::Recovery;
use crate::source::batch::Batch;
use crate::source::keyring::SharedKeyring;
use crate::source::{Delivery, Epoch, Grade, Inlet};
use crate::worker::lock;

/// How soon to look again at a path without a key.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How often to retry a key that cannot be opened that soon, because udev may not be done with it; and the pause after that.
const QUICK_LOOKS: u32 = 12;
const LOOK_AT_REFUSED: Duration = Duration::from_secs(2);
/// How soon to look again for a key on USB: the kernel reports its return, but a report can be lost.
const LOOK_FOR_LOST: Duration = Duration::from_secs(3);
/// How often to look for a key after a step that makes it return, and how long it may take.
const LOOK_FOR_RETURN: Duration = Duration::from_millis(50);
const RETURN_PATIENCE: Duration = Duration::from_secs(4);
/// How long to wait for the host's own randomness.
const NONCE_PAUSE: Duration = Duration::from_secs(1);
/// How long the last batch may wait for room when the daemon releases the key.
const LAST_BATCH: Duration = Duration::from_millis(500);

/// Everything that a key's thread owns.
pub(super) struct Driver {
    pub(super) settings: KeySettings,
    pub(super) keyring: SharedKeyring,
    pub(super) inlet: Inlet,
    pub(super) inbox: Receiver<KeyCommand>,
    pub(super) interrupt: Interrupt,
    pub(super) record: Arc<Mutex<Record>>,
    pub(super) nonces: Nonces,
    pub(super) freshness: Freshness,
    pub(super) clock: Clock,
    pub(super) bytes: Bytes,
    pub(super) books: KeyBooks,
    /// Proven bytes that were not tested yet.
    pub(super) batch: Batch,
    /// A tested batch, already in the account, that waits for room.
    pub(super) unsent: Option<Delivery>,
    /// The epoch of the session key under which bytes come.
    pub(super) epoch: Epoch,
    pub(super) nonce_epoch: NonceEpoch,
    pub(super) health: Option<KeyHealth>,
    pub(super) ladder: Ladder,
    place: Place,
    /// The USB device that was opened last, for the steps that act on it.
    device: Option<FoundKey>,
    /// When the last step with the link closed was taken, while the key has not returned from it.
    stepped: Option<Instant>,
    /// Whether the key was away: then its power was cut.
    was_gone: bool,
    /// The last rung that could not be tried, and why; logged once.
    pub(super) refused: Option<(Rung, String)>,
    /// How often in a row a key that is present could not be opened.
    refusals: u32,
    /// Whether the event loop does not know of the last change of state.
    news: bool,
}

/// When the last nonce was made. The session key that comes of it is of that epoch: after the daemon has forgotten everything, bytes
/// under an older one are those of a session that another copy of this machine knows too.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NonceEpoch {
    pub(super) epoch: Epoch,
    /// Session keys that were agreed before.
    pub(super) rekeys: u64,
}

impl NonceEpoch {
    /// Returns the epoch of the session key that was agreed as number `rekeys`, if that came of this nonce.
    pub(super) fn of_session(self, rekeys: u64) -> Option<Epoch> {
        (rekeys > self.rekeys).then_some(self.epoch)
    }
}

/// Why a session ended or did not begin.
pub(super) enum Ended {
    /// The daemon releases the key.
    Stopped,
    /// The link broke, or could not be opened.
    Broken(LinkError),
    /// The next step needs the link closed.
    Step(Rung),
    /// The host has no randomness for a nonce.
    NoNonce(io::Error),
}

impl Driver {
    pub(super) fn new(
        settings: KeySettings,
        keyring: SharedKeyring,
        nonces: Nonces,
        inlet: Inlet,
        inbox: Receiver<KeyCommand>,
        interrupt: Interrupt,
        record: Arc<Mutex<Record>>,
    ) -> Self {
        Self {
            place: Place::new(settings.name.clone(), settings.transport),
            health: KeyHealth::new(&settings.health),
            settings,
            keyring,
            epoch: inlet.epochs.present(),
            inlet,
            inbox,
            interrupt,
            record,
            nonces,
            freshness: Freshness::default(),
            clock: Clock::new(),
            bytes: Bytes::default(),
            books: KeyBooks::default(),
            batch: Batch::default(),
            unsent: None,
            nonce_epoch: NonceEpoch::default(),
            ladder: Ladder::new(Means::NONE),
            device: None,
            stepped: None,
            was_gone: false,
            refused: None,
            refusals: 0,
            news: false,
        }
    }

    /// Drives the key until the daemon releases it.
    pub(super) fn run(mut self) {
        loop {
            let ended = match self.open() {
                Ok(link) => self.converse(link),
                Err(error) => Ended::Broken(error),
            };
            let pause = match ended {
                Ended::Stopped => return self.send_last_batch(),
                Ended::Broken(error) => self.note_broken(&error),
                Ended::Step(rung) => {
                    self.take(rung);
                    Duration::ZERO
                }
                Ended::NoNonce(error) => {
                    self.enter(State::SerialOk.into(), Some(format!("/dev/urandom: {error}; a session needs a nonce")));
                    NONCE_PAUSE
                }
            };
            if self.wait_without_link(pause) {
                return self.send_last_batch();
            }
        }
    }

    fn open(&mut self) -> Result<Box<dyn Link>, LinkError> {
        let (spot, link) = self.open_either()?;
        self.refusals = 0;
        self.record().set_path(&spot.path, link.kind());
        let means = spot.found.as_ref().map_or(Means::NONE, |found| allowed(Means::of(found), &self.settings.recovery));
        self.ladder.set_means(means);
        self.record().set_usb_serial(spot.found.as_ref().and_then(|found| found.serial.as_ref()));
        self.device = spot.found;
        self.stepped = None;
        self.ladder.note_done(Instant::now());
        if std::mem::take(&mut self.was_gone) {
            self.ladder.note_plugged_in(Instant::now());
        }
        Ok(link)
    }

    /// Opens the key by the preferred transport, else by the other. Returns the error of the first.
    fn open_either(&mut self) -> Result<(Spot, Box<dyn Link>), LinkError> {
        let spot = self.place.look()?;
        self.record().set_path(&spot.path, likely_transport(&spot.path));
        let error = match ekey_link::open(&spot.path, &self.interrupt) {
            Ok(link) => return Ok((spot, link)),
            Err(error) => error,
        };
        let Some(path) = spot.other.filter(|_| !matches!(error, LinkError::Gone | LinkError::Busy { .. })) else {
            return Err(error);
        };
        let Ok(link) = ekey_link::open(&path, &self.interrupt) else { return Err(error) };
        self.place.switch_transport();
        Ok((Spot { path, other: None, ..spot }, link))
    }

    /// Notes that the link is lost. Returns how long to wait before looking again.
    fn note_broken(&mut self, error: &LinkError) -> Duration {
        if let Some(stepped) = self.stepped {
            if stepped.elapsed() < RETURN_PATIENCE {
                return LOOK_FOR_RETURN;
            }
            self.stepped = None;
            self.ladder.note_failed(Instant::now());
        }
        // A key that takes no bytes hangs as much as one that sends none.
        if let LinkError::WriteTimedOut { .. } = error {
            self.ladder.note_silent(Instant::now(), Silence::AfterOpening);
        }
        if let Some(pause) = self.climb() {
            return pause;
        }
        if !is_gone(error) {
            if self.ladder.current().is_none() {
                self.enter(State::Opening.into(), Some(error.to_string()));
            }
            self.refusals = self.refusals.saturating_add(1);
            return if self.refusals < QUICK_LOOKS { LOOK_AGAIN } else { LOOK_AT_REFUSED };
        }
        self.was_gone = true;
        // The state says that it has gone. For a path that cannot be opened, the error says more.
        let why = (!matches!(error, LinkError::Gone)).then(|| error.to_string());
        self.enter(KeyState::Gone, why);
        if self.place.is_on_usb() { LOOK_FOR_LOST } else { LOOK_AGAIN }
    }

    /// Takes the next step for a key without a link, if it is time for one. Returns how long to wait before opening again.
    fn climb(&mut self) -> Option<Duration> {
        loop {
            match self.ladder.next(Instant::now())? {
                // Without a link, nothing can be sent to the key.
                Rung::Soft => self.ladder.note_failed(Instant::now()),
                Rung::Pause => {
                    self.show_recovery();
                    return Some(LOOK_AGAIN);
                }
                rung => {
                    self.take(rung);
                    return Some(Duration::ZERO);
                }
            }
        }
    }

    /// Hands on the batch that waits for room, before the thread ends.
    fn send_last_batch(mut self) {
        let Some(batch) = self.unsent.take() else { return };
        match self.inlet.deliveries.send_timeout(batch, LAST_BATCH) {
            Ok(()) => self.inlet.wake(),
            Err(unsent) => self.book_dropped(&unsent.into_inner()),
        }
    }

    /// Accounts for a batch that could not be handed on and is wiped.
    pub(super) fn book_dropped(&mut self, batch: &Delivery) {
        let bytes = batch.bytes.len() as u64;
        self.books.dropped_bytes += bytes;
        match batch.grade {
            Grade::Fit => self.books.handed_bytes -= bytes,
            Grade::Unfit { .. } => self.books.put_aside_bytes -= bytes,
        }
        self.publish_books();
    }

    /// Shows the account and the health. Call it before handing on bytes, so that the account is never behind.
    pub(super) fn publish_books(&self) {
        self.record().set_books(self.shown_books(), self.health.as_ref().map(KeyHealth::vitals));
    }

    /// Returns the account with the bytes that are proven but not tested yet.
    pub(super) fn shown_books(&self) -> KeyBooks {
        KeyBooks { gathered_bytes: self.batch.len() as u64, ..self.books }
    }

    /// Takes a step that needs the link closed. Only [`open`](Self::open) opens it again.
    fn take(&mut self, rung: Rung) {
        self.show_recovery();
        self.tell();
        self.stepped = Some(Instant::now());
        let outcome = match (rung, &self.device) {
            (Rung::Reopen | Rung::Soft | Rung::Pause, _) => Ok(()),
            (Rung::OtherTransport, _) => {
                self.place.switch_transport();
                Ok(())
            }
            (_, None) => Err("not a USB device of this machine: only soft and reopen are possible".to_owned()),
            (Rung::UsbReset, Some(device)) => in_words(revive::usb_reset(device)),
            (Rung::Authorized, Some(device)) => in_words(revive::reauthorize(device)),
            (Rung::PortPower, _) if !self.settings.recovery.port_power => {
                Err("set port-power = true in [recovery] of the configuration to allow it".to_owned())
            }
            (Rung::PortPower, Some(device)) => in_words(revive::port_power(device, Neighbours::Protect)),
        };
        if let Err(problem) = outcome {
            self.note_refused(rung, problem);
        }
        self.publish_revival();
    }

    fn note_refused(&mut self, rung: Rung, problem: String) {
        self.ladder.note_failed(Instant::now());
        let refused = Some((rung, problem));
        if self.refused != refused {
            let (step, problem) = (rung.words(), refused.as_ref().map_or("", |(_, problem)| problem));
            if let Some(more) = self.settings.lines.admit(Line::Refused(rung)) {
                let key = self.settings.name.shown();
                tracing::warn!(%key, %rung, "cannot revive the key by {step}: {problem}{more}");
            }
            self.refused = refused;
        }
    }

    /// Shows the ladder's counts in the status.
    fn publish_revival(&self) {
        self.record().set_revival(&self.ladder, self.refused.as_ref());
    }

    /// Shows which rung is being tried, while one is.
    pub(super) fn show_recovery(&mut self) {
        let Some(rung) = self.ladder.current() else { return };
        self.enter(KeyState::Recovering { rung }, None);
    }

    /// Notes and logs a state.
    pub(super) fn enter(&mut self, state: KeyState, detail: Option<String>) {
        let changed = self.record().enter(state, detail.clone());
        if !changed {
            return;
        }
        // The loop hears of it once for all changes: a hostile key can change its state with each frame.
        self.news = true;
        let Some(more) = self.settings.lines.admit(Line::of(state)) else { return };
        let status = self.record().status();
        let (key, word) = (&status.path, status.state.short_word());
        let serial = status.known_serial().unwrap_or("unknown");
        match (&status.state, status.state.next_step(status.known_serial(), &status.path), detail) {
            (KeyState::Recovering { rung }, ..) if *rung != Rung::Pause => {
                tracing::warn!(%key, %serial, %rung, "{word}: {}{more}", rung.words());
            }
            (_, None, None) => tracing::info!(%key, %serial, "{word}{more}"),
            (_, _, Some(detail)) => tracing::warn!(%key, %serial, "{word}: {detail}{more}"),
            (_, Some(step), None) => tracing::warn!(%key, %serial, "{word}; {step}{more}"),
        }
    }

    /// Wakes the event loop if the state has changed. Call it before this thread waits.
    pub(super) fn tell(&mut self) {
        if std::mem::take(&mut self.news) {
            self.inlet.wake();
        }
    }

    /// Waits without a link. Returns whether the daemon releases the key.
    fn wait_without_link(&mut self, pause: Duration) -> bool {
        self.tell();
        let until = Instant::now() + pause;
        loop {
            match self.inbox.recv_deadline(until) {
                Ok(KeyCommand::Stop) => return true,
                Ok(KeyCommand::Look) => return false,
                Ok(KeyCommand::Try(rung)) => {
                    self.ladder.order(rung);
                    self.take(rung);
                    return false;
                }
                // The next session reads the keyring, and begins in the present epoch.
                Ok(KeyCommand::NewKeyring | KeyCommand::Forget) => {}
                Err(error) => return error.is_disconnected(),
            }
        }
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }
}

fn in_words(outcome: Result<(), ReviveError>) -> Result<(), String> {
    outcome.map_err(|error| error.to_string())
}

/// Returns the means that the configuration allows.
fn allowed(means: Means, recovery: &Recovery) -> Means {
    Means {
        usb_reset: means.usb_reset && recovery.usb_reset,
        authorized: means.authorized && recovery.usb_reset,
        port_power: means.port_power && recovery.port_power,
        ..means
    }
}

/// Returns whether the error means that there is no key, rather than one that cannot be used.
fn is_gone(error: &LinkError) -> bool {
    match error {
        LinkError::Gone => true,
        LinkError::Open { source, .. } => {
            matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
        }
        _ => false,
    }
}
