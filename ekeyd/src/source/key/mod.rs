//! Keys: those that are configured, added by command or found on USB, each driven by a thread of its own.

mod clock;
mod conversation;
mod discovery;
mod driver;
pub(crate) mod health;
mod keys;
pub(crate) mod nonce;
mod place;
mod rate;
mod record;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
use crate::worker::Worker;
pub(crate) use keys::Keys;
pub(crate) use place::Name;
use record::Record;

/// What a key's thread needs to know.
pub(crate) struct KeySettings {
    /// The number by which people may call it; never used twice.
    pub number: u32,
    /// Which key it is.
    pub name: Name,
    /// How to reach it, if it is on USB.
    pub transport: Transport,
    /// What may be done to revive it.
    pub recovery: Recovery,
    /// How to judge what it gives.
    pub health: Health,
    /// The serial number that the key there must have, if it matters.
    pub expected: Option<Serial>,
    /// How long it may be silent.
    pub timings: Timings,
}

/// A key that is being driven. Dropping it does not stop it: see [`Key::stop`].
pub(crate) struct Key {
    number: u32,
    name: Name,
    commands: Sender<KeyCommand>,
    interrupt: Interrupt,
    record: Arc<Mutex<Record>>,
    worker: Worker,
}

/// What is known of a key, which outlives it.
pub(crate) struct KeyRecord(Arc<Mutex<Record>>);

impl KeyRecord {
    /// What became of its bytes.
    pub(crate) fn books(&self) -> KeyBooks {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).books()
    }

    /// Whether anybody else has it, such as the key's thread.
    pub(crate) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

/// What the event loop asks of a key's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyCommand {
    /// The long-term keys have changed.
    NewKeyring,
    /// Something has changed on USB: if the key is away, look whether it is back.
    Look,
    /// Take this step of reviving it now.
    Try(Rung),
    /// Let go of the key and end.
    Stop,
}

impl Key {
    /// Starts driving the key.
    ///
    /// # Errors
    /// [`LinkError::Interrupt`] if the machine has no file descriptor left, [`LinkError::Open`] if it has no thread left.
    pub(crate) fn start(settings: KeySettings, keyring: SharedKeyring, inlet: Inlet) -> Result<Self, LinkError> {
        let interrupt = Interrupt::new()?;
        let (commands, inbox) = crossbeam_channel::unbounded();
        let (number, name) = (settings.number, settings.name.clone());
        let record = Arc::new(Mutex::new(Record::new(&settings)));
        let driver = driver::Driver::new(settings, keyring, inlet, inbox, interrupt.clone(), Arc::clone(&record));
        let worker = Worker::start(format!("key-{number}"), move || driver.run())
            .map_err(|source| LinkError::Open { path: name.shown().into(), source })?;
        Ok(Self { number, name, commands, interrupt, record, worker })
    }

    /// Whether its session runs and it is not put aside, so that it sends entropy that can be used.
    pub(crate) fn is_delivering(&self) -> bool {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).is_serving()
    }

    /// Its number.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Whether it is the key that is plugged in there, under whichever name it is driven.
    pub(crate) fn is(&self, found: &FoundKey) -> bool {
        let known = |record: &Record| record.usb_serial().is_some_and(|serial| found.serial.as_ref() == Some(serial));
        self.name.names(found) || known(&self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How it was named when it was added.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Asks something of its thread.
    pub(crate) fn command(&self, command: KeyCommand) {
        // A thread that has ended needs no command.
        let _ = self.commands.send(command);
        self.interrupt.wake();
    }

    /// What is known of it now.
    pub(crate) fn status(&self) -> KeyStatus {
        let mut status = self.record.lock().unwrap_or_else(PoisonError::into_inner).status();
        if !self.is_running() {
            status.state = KeyState::Gone;
            status.detail =
                Some("the daemon's thread for it has ended: restart the daemon, and report this".to_owned());
        }
        status
    }

    /// Its books, for when it is no longer driven.
    pub(crate) fn record(&self) -> KeyRecord {
        KeyRecord(Arc::clone(&self.record))
    }

    /// Whether its thread is alive.
    pub(crate) fn is_running(&self) -> bool {
        self.worker.is_running()
    }

    /// Lets go of the key. Returns whether others can have it, for which it waits up to `patience`.
    pub(crate) fn release(self, patience: Duration) -> bool {
        self.command(KeyCommand::Stop);
        self.worker.stop(patience)
    }
}
