//! Byte pipes to an Entropy Key.
//!
//! A key is reached over its tty (`/dev/ttyACM0`), over USB itself (`/dev/bus/usb/001/004`) or over the unix socket that the
//! original's USB helper makes for it. All are one [`Link`]: bytes in, bytes out, each call with a deadline. This crate does not look
//! at the bytes: `examples/read_a_key.rs` does so with ekey-proto.
//!
//! [`open`] picks the pipe that fits the path. An [`Interrupt`] ends a read that waits, from any thread. [`find`] says which keys
//! are plugged in, [`hotplug`] when to look again, and [`revive`] what to do about a key that has fallen silent.
//!
//! ```
//! use std::io::Write as _;
//! use std::os::unix::net::UnixListener;
//! use std::time::{Duration, Instant};
//!
//! use ekey_link::{Interrupt, Read};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A socket in place of a key.
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("key");
//! let listener = UnixListener::bind(&path)?;
//!
//! let mut link = ekey_link::open(&path, &Interrupt::new()?)?;
//! listener.accept()?.0.write_all(b"from the key")?;
//! let mut buffer = [0; 64];
//! let read = link.read(&mut buffer, Instant::now() + Duration::from_secs(10))?;
//! assert_eq!(read, Read::Bytes(12));
//! assert_eq!(&buffer[..12], b"from the key");
//! # Ok(())
//! # }
//! ```

mod error;
pub mod find;
pub mod hotplug;
mod interrupt;
mod ioctl;
mod open;
mod pipe;
pub mod revive;
mod tty;
mod unix;
#[cfg(feature = "usb")]
mod usb;

use std::fmt;
use std::time::Instant;

pub use error::LinkError;
pub use interrupt::Interrupt;
pub use open::{check, open};

/// A byte pipe to one key.
///
/// Dropping a link closes it; [`Link::close`] does so by name.
pub trait Link: Send {
    /// Waits for bytes from the key, for `deadline`, or for a wake of the link's [`Interrupt`], whichever comes first.
    ///
    /// Returns bytes that have arrived even after `deadline`, so a deadline of now asks without waiting. An interrupt goes before
    /// bytes, so that a busy key cannot hold up a stop; the next call returns the bytes.
    ///
    /// # Errors
    /// [`LinkError::Gone`] once the key has gone, at every call; [`LinkError::Io`] for anything else.
    fn read(&mut self, buf: &mut [u8], deadline: Instant) -> Result<Read, LinkError>;

    /// Sends all of `bytes`. Waits for room until `deadline`.
    ///
    /// An interrupt does not cut a write short: after half a command the key would wait for the rest.
    ///
    /// # Errors
    /// [`LinkError::Gone`] when the key has gone, [`LinkError::WriteTimedOut`] when it took only a part in time (the error says how
    /// much), [`LinkError::Io`] for anything else.
    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError>;

    /// Returns how the key is reached.
    fn kind(&self) -> Transport;

    /// Closes the pipe and lets other programs have the key.
    fn close(self: Box<Self>);
}

/// The result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The number of bytes at the front of the buffer, at least one.
    Bytes(usize),
    /// The deadline came first.
    TimedOut,
    /// The link's [`Interrupt`] was woken; the next read waits again.
    Interrupted,
}

/// How a key is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A tty, as the kernel's `cdc_acm` makes one.
    Tty,
    /// usbfs, in place of the kernel's driver.
    Usb,
    /// A unix stream socket that another program listens on.
    Unix,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tty, Self::Usb, Self::Unix];

    /// Returns its name in status, metrics and log: `tty`, `usb`, `unix`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tty => "tty",
            Self::Usb => "usb",
            Self::Unix => "unix",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
