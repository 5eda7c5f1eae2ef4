//! A key on USB: the device that a host's kernel sees, and the two ways to connect it to one.
//!
//! The key itself does not know its bus. A protocol turns the host's bytes into requests and transfers and their
//! results back into bytes, without I/O. [`UsbBus`] is a key with a protocol. A port is the socket for those bytes: one
//! that QEMU connects to ([`UnixSocket`](crate::UnixSocket), the usbredir protocol), or one end of a pair whose other
//! end this machine's kernel has ([`Vhci`], the USB/IP protocol).

mod bus;
mod control;
mod descriptors;
mod event;
mod key;
mod port;
mod protocol;
mod redir;
mod request;
mod run;
#[cfg(test)]
mod tests;
mod transfer;
mod vhci;

pub use self::bus::UsbBus;
pub use self::event::UsbEvent;
pub use self::protocol::Violation;
pub use self::run::{run_usbredir, run_vhci};
pub use self::vhci::Vhci;
