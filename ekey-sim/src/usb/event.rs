//! What happens to a key on its bus.

use std::fmt;

/// Something done to the key, and how often that has been done by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsbEvent {
    /// The key was plugged in and has power.
    PluggedIn(u64),
    /// The key was unplugged.
    PulledOut(u64),
    /// The host reset its port.
    Reset(u64),
    /// The host set this configuration; 0: none.
    Configured(u8, u64),
    /// The host set the line state, which crashes the firmware.
    LineState(u64),
}

/// Counts of what was done to the key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct UsbCounts {
    /// Times that the key was plugged in.
    pub(super) plugged_in: u64,
    /// Times that the key was unplugged.
    pub(super) pulled_out: u64,
    /// Resets of its port.
    pub(super) resets: u64,
    /// SET_CONFIGURATION requests that succeeded, including those for configuration 0.
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
