//! What happens to a key on its bus, for whoever watches it.

use std::fmt;

/// Something that was done to the key, and how often that has been done to it by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UsbEvent {
    /// It was plugged in: it has power.
    PluggedIn(u64),
    /// It was pulled out.
    PulledOut(u64),
    /// Its port was reset.
    Reset(u64),
    /// The host has chosen this configuration; 0: none.
    Configured(u8, u64),
    /// The host has set the line state, which the firmware does not survive.
    LineState(u64),
}

/// How often each of it has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct UsbCounts {
    /// Times that it was plugged in.
    pub(super) plugged_in: u64,
    /// Times that it was pulled out.
    pub(super) pulled_out: u64,
    /// Resets of its port.
    pub(super) resets: u64,
    /// SET_CONFIGURATION requests that it took, those for configuration 0 among them.
    pub(super) configurations: u64,
    /// SET_CONTROL_LINE_STATE requests.
    pub(super) line_states: u64,
}

impl fmt::Display for UsbEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PluggedIn(count) => write!(f, "plugged in ({count})"),
            Self::PulledOut(count) => write!(f, "pulled out ({count})"),
            Self::Reset(count) => write!(f, "bus reset ({count})"),
            Self::Configured(value, count) => write!(f, "set configuration {value} ({count})"),
            Self::LineState(count) => write!(f, "set control line state ({count}): hangs until replugged"),
        }
    }
}
