//! What can be done about a key that has fallen silent.
//!
//! Each step that acts on the USB device is a function in a file of its own. No report says that any of them revives a real key
//! that hangs, so a function only promises that the step was done, not that it helped. [`Ladder`] decides which step comes next and
//! counts. Only a frame that verifies counts as a success.

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
