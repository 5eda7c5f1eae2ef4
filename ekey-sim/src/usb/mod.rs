//! A key on USB: the device that a host's kernel sees, and the two ways to let it see one.
//!
//! The key itself knows nothing of where its bus is. A protocol is the bus: it turns what comes over a socket into
//! requests and transfers and their results back, without doing any I/O. A port is where that socket comes from: a
//! socket that QEMU connects to ([`UnixSocket`](crate::UnixSocket), the usbredir protocol), or one end of a pair whose other end this
//! machine's kernel has got ([`Vhci`], the USB/IP protocol).

#[cfg(feature = "fuzzing")]
mod bench;
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

#[cfg(feature = "fuzzing")]
pub use self::bench::UsbBench;
pub use self::run::{run_usbredir, run_vhci};
pub use self::vhci::Vhci;
