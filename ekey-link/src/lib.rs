//! Byte pipes to an Entropy Key.
//!
//! A key is reached over its tty (`/dev/ttyACM0`), over USB itself (`/dev/bus/usb/001/004`) or over the unix socket that the
//! original's USB helper makes for it. All are one [`Link`]: bytes in, bytes out, each call bounded by a deadline. What the bytes
//! mean is none of this crate's business.
//!
//! [`open`] picks the pipe by what the path is; an [`Interrupt`] ends a read that waits, from any thread. [`find`] says which keys
//! are plugged in, [`hotplug`] when to look again, and [`revive`] what to do about one that has fallen silent.

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
pub use open::open;

/// A byte pipe to one key.
///
/// Dropping it closes it; [`Link::close`] says so in words.
pub trait Link: Send {
    /// Waits until the key has sent something, `deadline` is there, or the link's [`Interrupt`] was woken, whichever is first.
    ///
    /// What has already arrived is given even if `deadline` has passed, so a deadline of now asks without waiting. An interrupt
    /// goes before bytes that wait, so that a busy key cannot hold up who wants to stop it; the bytes are given by the next call.
    ///
    /// # Errors
    /// [`LinkError::Gone`] when the key has gone, as often as it is asked; [`LinkError::Io`] for anything else.
    fn read(&mut self, buf: &mut [u8], deadline: Instant) -> Result<Read, LinkError>;

    /// Sends all of `bytes`, waiting for room no longer than `deadline`.
    ///
    /// An interrupt does not cut a write short: half a command would leave the key waiting for the rest.
    ///
    /// # Errors
    /// [`LinkError::Gone`] when the key has gone, [`LinkError::WriteTimedOut`] when it took only a part in time (how much is said
    /// there), [`LinkError::Io`] for anything else.
    fn write_all(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), LinkError>;

    /// How the key is reached.
    fn kind(&self) -> Transport;

    /// Closes the pipe and lets other programs have the key.
    fn close(self: Box<Self>);
}

/// What a read came back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes, at least one, are at the front of the buffer.
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

    /// Its name in status, metrics and log: `tty`, `usb`, `unix`.
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
