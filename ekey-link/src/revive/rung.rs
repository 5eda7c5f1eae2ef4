//! The rungs of the ladder, what each needs, and its results so far.

use std::fmt;
use std::time::Duration;

use crate::find::FoundKey;

/// A step that may revive a silent key, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// The byte `^C`. The session sends it by itself when it finds the key silent.
    Soft,
    /// Close the link and open it again.
    Reopen,
    /// Close the link and open it by the other transport.
    OtherTransport,
    /// [`usb_reset`](super::usb_reset), with the link closed.
    UsbReset,
    /// [`reauthorize`](super::reauthorize), with the link closed.
    Authorized,
    /// [`port_power`](super::port_power), with the link closed.
    PortPower,
    /// No rung has helped: wait, a minute at first and half an hour at most. The key most likely needs a replug.
    Pause,
}

impl Rung {
    /// All of them, the mildest first.
    pub const ALL: [Self; 7] = [
        Self::Soft,
        Self::Reopen,
        Self::OtherTransport,
        Self::UsbReset,
        Self::Authorized,
        Self::PortPower,
        Self::Pause,
    ];

    /// Returns its name in status, metrics and log: `soft`, `reopen`, `other-transport`, `usb-reset`, `authorized`, `port-power`, `pause`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Reopen => "reopen",
            Self::OtherTransport => "other-transport",
            Self::UsbReset => "usb-reset",
            Self::Authorized => "authorized",
            Self::PortPower => "port-power",
            Self::Pause => "pause",
        }
    }

    /// Says what is being done to the key.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Soft => "soft reset",
            Self::Reopen => "opening it again",
            Self::OtherTransport => "trying the other transport",
            Self::UsbReset => "USB reset",
            Self::Authorized => "re-authorising it",
            Self::PortPower => "switching its port off and on",
            Self::Pause => "replug needed",
        }
    }

    /// Returns how long a key may take to send a frame that verifies, once the step is done and the link is open again.
    ///
    /// A key answers a `^C` at once, so these could be shorter. The first five and the time that the steps take must fit into five
    /// seconds, so that a key that is found silent after five seconds is revived within ten.
    #[must_use]
    pub fn patience(self) -> Duration {
        Duration::from_millis(match self {
            Self::Soft => 700,
            Self::Reopen | Self::OtherTransport => 900,
            Self::UsbReset | Self::Authorized => 1200,
            Self::PortPower => 5000,
            Self::Pause => 3000,
        })
    }

    /// Returns how often it may be tried: the attempts in a row, and the interval that earns one more.
    pub(super) fn allowance(self) -> (u32, Duration) {
        match self {
            Self::Soft => (60, Duration::from_secs(1)),
            Self::Reopen => (20, Duration::from_secs(10)),
            Self::OtherTransport => (10, Duration::from_secs(30)),
            Self::UsbReset | Self::Authorized => (6, Duration::from_secs(60)),
            Self::PortPower => (2, Duration::from_secs(600)),
            Self::Pause => (u32::MAX, Duration::from_secs(1)),
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rungs that a key has. [`Rung::Soft`], [`Rung::Reopen`] and [`Rung::Pause`] it always has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Means {
    /// The key can be reached by another transport.
    pub other_transport: bool,
    /// Its USB port may be reset.
    pub usb_reset: bool,
    /// Its `authorized` may be written.
    pub authorized: bool,
    /// Its port's power may be switched.
    pub port_power: bool,
}

impl Means {
    /// For a key behind a unix socket, or a tty that belongs to no USB device.
    pub const NONE: Self = Self { other_transport: false, usb_reset: false, authorized: false, port_power: false };

    /// Returns the rungs of a key that is plugged in. Mask them with what the configuration allows. This does not check whether the
    /// process may do a step: the step itself reports that.
    #[must_use]
    pub fn of(key: &FoundKey) -> Self {
        Self {
            other_transport: true,
            usb_reset: true,
            authorized: key.sysfs.join("authorized").exists(),
            port_power: key.sysfs.join("port/disable").exists(),
        }
    }

    pub(super) fn allow(self, rung: Rung) -> bool {
        match rung {
            Rung::Soft | Rung::Reopen | Rung::Pause => true,
            Rung::OtherTransport => self.other_transport,
            Rung::UsbReset => self.usb_reset,
            Rung::Authorized => self.authorized,
            Rung::PortPower => self.port_power,
        }
    }
}

/// When a key was found silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// After its link was opened. It was sent `^C` more than once by then.
    AfterOpening,
    /// While it was running. It is sent `^C` now.
    WhileRunning,
}

/// The results of a rung so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often it was tried.
    pub attempts: u64,
    /// How often a frame verified after it and before the next.
    pub successes: u64,
    /// How often the step could not be done.
    pub failures: u64,
}
