//! Keys: configured, added by command or found on USB. Each has its own thread.

mod allowance;
mod clock;
mod conversation;
mod discovery;
mod driver;
mod freshness;
mod health;
mod keys;
mod lines;
mod nonce;
mod place;
mod rate;
mod record;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use ekey_control::books::KeyBooks;
use ekey_control::{KeyState, KeyStatus};
use ekey_link::find::FoundKey;
use ekey_link::revive::Rung;
use ekey_link::{Interrupt, LinkError};
use ekey_proto::Serial;
use ekey_proto::session::Timings;

use crate::config::{Health, Recovery, Transport};
use crate::source::Inlet;
use crate::source::keyring::SharedKeyring;
use crate::worker::{Worker, lock};
pub(crate) use keys::Keys;
use lines::Lines;
use nonce::Nonces;
pub(crate) use place::Name;
use record::Record;

/// What a key's thread needs to know.
pub(crate) struct KeySettings {
    /// The number by which users may call it; never used twice.
    pub number: u32,
    /// Which key it is.
    pub name: Name,
    /// How to reach it, if it is on USB.
    pub transport: Transport,
    /// What may be done to revive it.
    pub recovery: Recovery,
    /// How to test its output.
    pub health: Health,
    /// The expected serial number, if one is configured.
    pub expected: Option<Serial>,
    /// How long it may be silent.
    pub timings: Timings,
    /// How often the log gets a line about it.
    pub lines: Lines,
}

/// A key that is being driven. Dropping it does not stop it: see [`Key::release`].
pub(crate) struct Key {
    number: u32,
    name: Name,
    commands: Sender<KeyCommand>,
    interrupt: Interrupt,
    record: Arc<Mutex<Record>>,
    /// Since when it is not on USB, if it was found there.
    away: Option<Instant>,
    worker: Worker,
}

/// The record of a key, which outlives it.
pub(crate) struct KeyRecord(Arc<Mutex<Record>>);

impl KeyRecord {
    /// Returns the account of its bytes.
    pub(crate) fn books(&self) -> KeyBooks {
        lock(&self.0).books()
    }

    /// Returns whether another owner still has it, such as the key's thread.
    pub(crate) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// A command from the event loop to a key's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyCommand {
    /// The long-term keys have changed.
    NewKeyring,
    /// A new epoch has begun: start a new session, so that nothing of the old one is used.
    Forget,
    /// Something has changed on USB: if the key is away, check whether it is back.
    Look,
    /// Try this step of reviving it now.
    Try(Rung),
    /// Release the key and end.
    Stop,
}

impl Key {
    /// Starts driving the key.
    ///
    /// # Errors
    /// [`LinkError::Interrupt`] if the machine has no file descriptor left, [`LinkError::Open`] if it has no thread left.
    pub(crate) fn start(
        settings: KeySettings,
        keyring: SharedKeyring,
        nonces: Nonces,
        inlet: Inlet,
    ) -> Result<Self, LinkError> {
        let interrupt = Interrupt::new()?;
        let (commands, inbox) = crossbeam_channel::unbounded();
        let (number, name) = (settings.number, settings.name.clone());
        let record = Arc::new(Mutex::new(Record::new(&settings)));
        let driver =
            driver::Driver::new(settings, keyring, nonces, inlet, inbox, interrupt.clone(), Arc::clone(&record));
        let worker = Worker::start(format!("key-{number}"), move || driver.run())
            .map_err(|source| LinkError::Open { path: name.shown().into(), source })?;
        Ok(Self { number, name, commands, interrupt, record, away: None, worker })
    }

    /// Returns whether it delivers usable entropy: its session runs and it is not retired.
    pub(crate) fn is_delivering(&self) -> bool {
        lock(&self.record).is_serving()
    }

    /// Notes whether the last scan of USB found it.
    pub(crate) fn note_found(&mut self, found: bool, now: Instant) {
        self.away = if found { None } else { self.away.or(Some(now)) };
    }

    /// Returns since when it has not been found.
    pub(crate) fn away_since(&self) -> Option<Instant> {
        self.away
    }

    /// Returns whether a frame has ever verified under a session key with it.
    pub(crate) fn has_proven(&self) -> bool {
        lock(&self.record).has_proven()
    }

    /// Notes that a frame has verified under a session key, for tests.
    #[cfg(test)]
    pub(super) fn prove(&self) {
        lock(&self.record).note_info(&ekey_proto::wire::Info::default(), None, true);
    }

    /// Returns its number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Returns whether it is the key `found` on USB, under any name.
    pub(crate) fn is(&self, found: &FoundKey) -> bool {
        let known = |record: &Record| record.usb_serial().is_some_and(|serial| found.serial.as_ref() == Some(serial));
        self.name.names(found) || known(&lock(&self.record))
    }

    /// Returns the name by which it was added.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Sends its thread a command.
    pub(crate) fn command(&self, command: KeyCommand) {
        // A thread that has ended needs no command.
        let _ = self.commands.send(command);
        self.interrupt.wake();
    }

    /// Returns its status.
    pub(crate) fn status(&self) -> KeyStatus {
        let mut status = lock(&self.record).status();
        if !self.is_running() {
            status.state = KeyState::Gone;
            status.detail =
                Some("the daemon's thread for it has ended: restart the daemon, and report this".to_owned());
        }
        status
    }

    /// Returns its record, which remains when it is no longer driven.
    pub(crate) fn record(&self) -> KeyRecord {
        KeyRecord(Arc::clone(&self.record))
    }

    /// Returns whether its thread is alive.
    pub(crate) fn is_running(&self) -> bool {
        self.worker.is_running()
    }

    /// Releases the key. Waits up to `patience`. Returns whether other programs can use it.
    pub(crate) fn release(self, patience: Duration) -> bool {
        self.command(KeyCommand::Stop);
        self.worker.stop(patience)
    }
}

#[cfg(test)]
mod tests;
