//! One key: the thread that drives it, and what is known of it.

mod clock;
mod conversation;
mod driver;
pub(crate) mod health;
pub(crate) mod keyring;
pub(crate) mod nonce;
mod place;
mod rate;
mod record;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
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
use crate::source::batch::Batch;
use crate::source::key::health::Grade;
use crate::source::key::keyring::SharedKeyring;
pub(crate) use place::Name;
use record::Record;

/// How often to look whether a key has been let go of.
const RELEASE_CHECK: Duration = Duration::from_millis(2);

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

/// What a key has sent.
pub(crate) struct KeyBatch {
    /// The number of the key.
    pub key: u32,
    /// What was proven of it.
    pub bytes: Batch,
    /// What it is good for.
    pub grade: Grade,
}

/// Where a key's thread sends what it has proven. Sending waits while the daemon cannot take more.
#[derive(Clone)]
pub(crate) struct Outlet {
    /// The way to the pool.
    pub batches: Sender<KeyBatch>,
    /// Wakes the event loop after a batch or a change of state.
    pub waker: Arc<mio::Waker>,
}

/// A key that is being driven. Dropping it does not stop it: see [`Key::stop`].
pub(crate) struct Key {
    number: u32,
    name: Name,
    commands: Sender<KeyCommand>,
    interrupt: Interrupt,
    record: Arc<Mutex<Record>>,
    thread: Option<JoinHandle<()>>,
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
    pub(crate) fn start(settings: KeySettings, keyring: SharedKeyring, outlet: Outlet) -> Result<Self, LinkError> {
        let interrupt = Interrupt::new()?;
        let (commands, inbox) = crossbeam_channel::unbounded();
        let (number, name) = (settings.number, settings.name.clone());
        let record = Arc::new(Mutex::new(Record::new(&settings)));
        let driver = driver::Driver::new(settings, keyring, outlet, inbox, interrupt.clone(), Arc::clone(&record));
        let thread = std::thread::Builder::new()
            .name(format!("key-{number}"))
            .spawn(move || driver.run())
            .map_err(|source| LinkError::Open { path: name.shown().into(), source })?;
        Ok(Self { number, name, commands, interrupt, record, thread: Some(thread) })
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
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Lets go of the key, soon and without waiting for it.
    pub(crate) fn let_go(self) {
        self.command(KeyCommand::Stop);
    }

    /// Lets go of the key and waits until others can have it, but no longer than `patience`. Returns whether they can.
    pub(crate) fn release(mut self, patience: Duration) -> bool {
        self.command(KeyCommand::Stop);
        let Some(thread) = self.thread.take() else { return true };
        let until = Instant::now() + patience;
        while !thread.is_finished() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(RELEASE_CHECK);
        }
        true
    }

    /// Lets go of the key, and returns once its thread has ended: at once, save for a write that is under way.
    pub(crate) fn stop(mut self) {
        self.command(KeyCommand::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(key = %self.name.shown(), "the key's thread had panicked; please report this");
        }
    }
}
