//! The software key on a USB bus, for the targets that play its host.

use std::convert::Infallible;
use std::time::Duration;

use ekey_sim::{Device, Seed, Setup, UsbBus};

/// Most bytes that a key makes before its host reads.
const MOST_OUTGOING: usize = 65_536;

/// Returns a key with a fixed seed and no rate limit.
pub(crate) fn device() -> Device {
    Device::new(Setup { rate: 0, ..Setup::from_seed(Seed::from_number(7)) })
}

/// Lets the key do all that it can, and returns what it sends.
pub(crate) fn serve(bus: &mut UsbBus, now: Duration) -> Vec<u8> {
    let Ok(_) = bus.serve(now, MOST_OUTGOING, |_| Ok::<(), Infallible>(()));
    drop(bus.take_events());
    std::mem::take(bus.outgoing())
}
