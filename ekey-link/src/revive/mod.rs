//! What can be done about a key that has fallen silent.
//!
//! The steps that act on the USB device are functions, one a file. Each is an attempt and no more: no report says that any of them
//! revives a real key that hangs, so they promise that the step was taken, never that it helped. [`Ladder`] decides which step is
//! next and keeps the books; only a frame that verifies counts as success.

mod attribute;
mod error;
mod ladder;
mod limit;
mod port_power;
mod reauthorize;
mod rung;
mod usb_reset;

pub use error::ReviveError;
pub use ladder::Ladder;
pub use port_power::{Neighbours, port_power};
pub use reauthorize::reauthorize;
pub use rung::{Means, Rung, Silence, Tally};
pub use usb_reset::usb_reset;
