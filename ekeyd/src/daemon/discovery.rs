//! Keys that appear on USB by themselves.
//!
//! The kernel tells of changes; since a message can be lost, USB is looked at now and then as well. A key is known by the
//! serial number that USB states: under whichever name it comes back, it is the same key.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::{Duration, Instant};

use ekey_control::status::IdleKey;
use ekey_link::find::{self, FoundKey};
use ekey_link::hotplug::Hotplug;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::Daemon;
use crate::source::key::{KeyCommand, Name};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Some changes come in a burst, and not all of it is done when the first message is here.
const SETTLING: Duration = Duration::from_millis(800);
const LOOK_AFTER_CHANGE: Duration = Duration::from_millis(100);

/// What is known of USB.
pub(super) struct Discovery {
    hotplug: Option<Hotplug>,
    found: Vec<FoundKey>,
    next_look: Instant,
    /// When keys without a tty were first seen, by bus and device number.
    unsettled: Vec<((u16, u16), Instant)>,
    /// Serial numbers of keys that were removed by command; they stay so until they are unplugged or added again.
    set_aside: Vec<String>,
}

impl Discovery {
    /// Begins to listen. Where the kernel's messages cannot be had, USB is still looked at regularly.
    pub(super) fn start(registry: &Registry, token: Token) -> Self {
        let listen = || {
            let hotplug = Hotplug::new()?;
            let fd = hotplug.as_fd().as_raw_fd();
            let watched = registry.register(&mut SourceFd(&fd), token, Interest::READABLE);
            watched.map_err(|source| ekey_link::LinkError::Hotplug { source })?;
            Ok::<_, ekey_link::LinkError>(hotplug)
        };
        let hotplug = listen().inspect_err(|error| tracing::warn!("{error}")).ok();
        Self { hotplug, found: Vec::new(), next_look: Instant::now(), unsettled: Vec::new(), set_aside: Vec::new() }
    }

    /// When to look at USB next.
    pub(super) fn next_look(&self) -> Instant {
        self.next_look
    }

    /// A key with this serial number is not to be driven until it is unplugged, or added by command.
    pub(super) fn set_aside(&mut self, serial: String) {
        self.set_aside.push(serial);
    }

    /// Whether the kernel has had its time to give a key a tty: its driver may still be loading.
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

    /// A key is to be driven again.
    pub(super) fn welcome(&mut self, found: &FoundKey) {
        self.set_aside.retain(|serial| found.serial.as_ref() != Some(serial));
    }
}

impl Daemon {
    /// Hears the kernel's messages out.
    pub(super) fn heed_hotplug(&mut self) {
        let Some(hotplug) = &mut self.discovery.hotplug else { return };
        match hotplug.rescan_due() {
            Ok(false) => {}
            Ok(true) => {
                let soon = Instant::now() + LOOK_AFTER_CHANGE;
                self.discovery.next_look = self.discovery.next_look.min(soon);
            }
            Err(error) => {
                tracing::warn!("{error}");
                self.discovery.hotplug = None;
            }
        }
    }

    /// Looks at USB if it is time to, and starts the keys that are new there.
    pub(super) fn look_at_usb(&mut self, now: Instant) {
        if now < self.discovery.next_look {
            return;
        }
        self.discovery.next_look = now + LOOK_EVERY;
        let found = find::keys();
        self.discovery.set_aside.retain(|serial| found.iter().any(|key| key.serial.as_ref() == Some(serial)));
        if found != self.discovery.found {
            self.keys.iter().for_each(|key| key.command(KeyCommand::Look));
        }
        for key in &found {
            let Some(serial) = &key.serial else { continue };
            if key.tty.is_none() && !self.discovery.has_settled(key, now) {
                self.discovery.next_look = now + LOOK_AFTER_CHANGE;
                continue;
            }
            if self.config.keys.discover && !self.is_driven(key) && !self.discovery.set_aside.contains(serial) {
                tracing::info!(%serial, port = %key.port, "a key was plugged in");
                if let Err(error) = self.add_key(Name::Serial(serial.clone()), serial.parse().ok()) {
                    tracing::error!("{error}");
                }
            }
        }
        self.discovery.unsettled.retain(|(device, _)| found.iter().any(|key| (key.bus, key.device) == *device));
        self.discovery.found = found;
    }

    /// Whether a key that is plugged in is driven.
    pub(super) fn is_driven(&self, found: &FoundKey) -> bool {
        self.keys.iter().any(|key| key.is(found))
    }

    /// The keys that are plugged in and not driven, and why.
    pub(super) fn idle_keys(&self) -> Vec<IdleKey> {
        let idle = |key: &FoundKey| IdleKey {
            serial: key.serial.clone(),
            port: key.port.clone(),
            path: key.tty.as_ref().unwrap_or(&key.usbfs).display().to_string(),
            why: self.why_idle(key).to_owned(),
        };
        self.discovery.found.iter().filter(|key| !self.is_driven(key)).map(idle).collect()
    }

    fn why_idle(&self, key: &FoundKey) -> &'static str {
        match &key.serial {
            None => "it states no serial number that could be used: unplug it and plug it in again",
            Some(_) if !key.authorized => "the kernel was told not to use it: write 1 to its `authorized` in /sys",
            Some(serial) if self.discovery.set_aside.contains(serial) => {
                "it was removed by command: `ekey-ctl add` its path"
            }
            Some(_) if !self.config.keys.discover => "discovery is off in the configuration: `ekey-ctl add` its path",
            Some(_) => "it has just been plugged in",
        }
    }
}
