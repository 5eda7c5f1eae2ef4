//! Discovery of keys on USB.
//!
//! The kernel reports changes. A report can be lost, so USB is scanned every ten seconds as well. A key is known by the serial
//! number in its USB descriptor; its path may change.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::{Duration, Instant};

use ekey_link::find::{self, FoundKey};
use ekey_link::hotplug::{Hotplug, News};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Changes come in a burst; the first message may arrive before all of them are done.
const SETTLING: Duration = Duration::from_millis(800);
const LOOK_AFTER_CHANGE: Duration = Duration::from_millis(100);

/// What is known of USB.
pub(super) struct Discovery {
    hotplug: Option<Hotplug>,
    found: Vec<FoundKey>,
    next_look: Instant,
    /// When keys without a tty were first seen, by bus and device number.
    unsettled: Vec<((u16, u16), Instant)>,
    /// Serial numbers of keys that were removed by command, until they are unplugged or added again.
    removed: Vec<String>,
    /// Whether the kernel has said that this machine is a copy.
    is_copied: bool,
}

impl Discovery {
    /// Starts to listen. If the kernel's messages are not available, still scans USB regularly.
    pub(super) fn start(registry: &Registry, token: Token) -> Self {
        let listen = || {
            let hotplug = Hotplug::new()?;
            let fd = hotplug.as_fd().as_raw_fd();
            let watched = registry.register(&mut SourceFd(&fd), token, Interest::READABLE);
            watched.map_err(|source| ekey_link::LinkError::Hotplug { source })?;
            Ok::<_, ekey_link::LinkError>(hotplug)
        };
        let hotplug = listen().inspect_err(|error| tracing::warn!("{error}")).ok();
        Self { hotplug, ..Self::of(Vec::new()) }
    }

    /// Knows these keys, and hears no messages.
    pub(super) fn of(found: Vec<FoundKey>) -> Self {
        let next_look = Instant::now();
        Self { hotplug: None, found, next_look, unsettled: Vec::new(), removed: Vec::new(), is_copied: false }
    }

    /// Returns when to look at USB next.
    pub(super) fn next_look(&self) -> Instant {
        self.next_look
    }

    /// Reads the kernel's messages, and plans a scan if one of them is about a key.
    pub(super) fn hear(&mut self) {
        let Some(hotplug) = &mut self.hotplug else { return };
        match hotplug.news() {
            Ok(News { rescan, new_generation }) => {
                self.is_copied |= new_generation;
                if rescan {
                    self.next_look = self.next_look.min(Instant::now() + LOOK_AFTER_CHANGE);
                }
            }
            Err(error) => {
                tracing::warn!("{error}");
                self.hotplug = None;
            }
        }
    }

    /// Returns whether the kernel has said since the last call that this machine is a copy.
    pub(super) fn take_copied(&mut self) -> bool {
        std::mem::take(&mut self.is_copied)
    }

    /// Scans USB if it is time to. Returns whether anything has changed and the keys that have settled; `None` before the time.
    pub(super) fn look(&mut self, now: Instant) -> Option<(bool, Vec<FoundKey>)> {
        if now < self.next_look {
            return None;
        }
        self.next_look = now + LOOK_EVERY;
        let found = find::keys();
        self.removed.retain(|serial| found.iter().any(|key| key.serial.as_ref() == Some(serial)));
        let mut settled = Vec::new();
        for key in found.iter().filter(|key| key.serial.is_some()) {
            if key.tty.is_some() || self.has_settled(key, now) {
                settled.push(key.clone());
            } else {
                self.next_look = now + LOOK_AFTER_CHANGE;
            }
        }
        self.unsettled.retain(|(device, _)| found.iter().any(|key| (key.bus, key.device) == *device));
        let has_changed = found != self.found;
        self.found = found;
        Some((has_changed, settled))
    }

    /// Returns the keys that the last scan found.
    pub(super) fn found(&self) -> &[FoundKey] {
        &self.found
    }

    /// Ignores a key until it is unplugged or added by command.
    pub(super) fn note_removed(&mut self, serial: String) {
        self.removed.push(serial);
    }

    /// Returns whether a key was removed by command.
    pub(super) fn is_removed(&self, serial: &String) -> bool {
        self.removed.contains(serial)
    }

    /// Forgets that a key was removed.
    pub(super) fn note_added(&mut self, found: &FoundKey) {
        self.removed.retain(|serial| found.serial.as_ref() != Some(serial));
    }

    /// Returns whether the kernel has had time to give a key a tty: its driver may still be loading.
    fn has_settled(&mut self, key: &FoundKey, now: Instant) -> bool {
        let device = (key.bus, key.device);
        match self.unsettled.iter().find(|(known, _)| *known == device) {
            Some((_, since)) => now.duration_since(*since) >= SETTLING,
            None => {
                self.unsettled.push((device, now));
                false
            }
        }
    }
}
