//! `[recovery]`: how to revive a key that is silent.

use std::time::Duration;

use super::Section;
use super::table::Table;

/// `[recovery]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// How long a key may be silent before the daemon revives it.
    pub silence: Duration,
    /// Whether to reset its USB device.
    pub usb_reset: bool,
    /// Whether to switch its USB port's power off and on.
    pub port_power: bool,
}

impl Default for Recovery {
    fn default() -> Self {
        Self { silence: Duration::from_secs(3), usb_reset: true, port_power: false }
    }
}

impl Section for Recovery {
    const NAME: &'static str = "recovery";

    fn read(table: &mut Table<'_>) -> Option<Self> {
        let default = Self::default();
        Some(Self {
            silence: table.number("silence-ms", 500..=600_000).map_or(default.silence, Duration::from_millis),
            usb_reset: table.flag("usb-reset").unwrap_or(default.usb_reset),
            port_power: table.flag("port-power").unwrap_or(default.port_power),
        })
    }
}
